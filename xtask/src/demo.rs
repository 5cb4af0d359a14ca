//! `cargo xtask demo`: a minute that shows what this is.

use crate::build;
use crate::run::{Outcome, capture, is_root, line, which};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Builds and shows.
///
/// # Errors
/// The step that did not do what it was to show.
pub(crate) fn demo() -> Outcome {
    for program in ["python3", "curl", "cp", "ls"] {
        which(program).ok_or(format!(
            "the demo needs `{program}`; as root: apt-get install -y python3 curl coreutils"
        ))?;
    }
    say("Building (the first time takes a few minutes) ...");
    let release = build::release()?;
    let stage = Stage::new(&release)?;
    let outcome = show(&stage);
    stage.clear();
    outcome
}

fn show(stage: &Stage) -> Outcome {
    say("1. Start a rump kernel: one ordinary process, no root, no namespaces, no TUN.");
    stage.step(&mut stage.bare("./rump_server", &["unix://s"]))?;

    say("2. An unmodified python3 serves web/ on port 80 of that kernel, as an ordinary user.");
    let arguments = ["-m", "http.server", "--directory", "web", "--bind", "127.0.0.1", "80"];
    let server = stage.background(stage.hijacked("python3", &arguments))?;
    stage.wait_for_server()?;

    say("3. An unmodified curl, hijacked too, fetches a page from it.");
    stage.step(&mut stage.hijacked("curl", &["-s", "http://127.0.0.1/hello.txt"]))?;

    say("4. The host knows nothing of it: curl without the library is refused there,");
    let (found, _) = stage.show(&mut stage.bare("curl", &["-s", "-S", "http://127.0.0.1/hello.txt"]))?;
    if found {
        return Err("something else serves port 80 on this host; end it and run the demo again".into());
    }
    say("   and among the host's listening sockets there is none on port 80:");
    println!("    $ grep ':0050 .* 0A ' /proc/net/tcp");
    match host_listens_on(80)? {
        true => return Err("the host listens on port 80".into()),
        false => println!("    (nothing)"),
    }
    say("   but the rump kernel lists it:");
    stage.step(&mut stage.bare("./rump", &["sockstat"]))?;

    say("5. Files: /rump is the rump kernel's own tree, for any program.");
    stage.step(&mut stage.hijacked("curl", &["-s", "-o", "hello.txt", "http://127.0.0.1/hello.txt"]))?;
    stage.step(&mut stage.hijacked("cp", &["hello.txt", "/rump/"]))?;
    stage.step(&mut stage.hijacked("ls", &["-l", "/rump"]))?;
    if Path::new("/rump").exists() {
        say("   (This host has a /rump of its own; it was not touched.)");
    } else {
        say("   The host has no /rump at all:");
        stage.show(&mut stage.bare("ls", &["/rump"]))?;
    }

    say("6. Stop it; the web server ends with its network.");
    drop(server);
    stage.step(&mut stage.bare("./rump", &["halt"]))?;
    say("That was LD_PRELOAD=./librumphijack.so RUMP_SERVER=unix://s PROGRAM. Try `rump run -- PROGRAM`.");
    Ok(())
}

fn say(text: &str) {
    println!("\n{text}");
}

/// A temporary directory with the built files and a small web site, and who runs programs in it.
struct Stage {
    dir: TempDir,
    /// Words in front of each command that make root an ordinary user.
    drop_root: Vec<String>,
}

impl Stage {
    fn new(release: &Path) -> Outcome<Self> {
        let dir = tempfile::Builder::new()
            .prefix("rump-demo-")
            .tempdir()
            .map_err(told("no temporary directory"))?;
        // An ordinary user may not reach a checkout in root's home, so the files are copied.
        for name in build::ARTIFACTS {
            std::fs::copy(release.join(name), dir.path().join(name)).map_err(told(name))?;
        }
        std::fs::create_dir(dir.path().join("web")).map_err(told("web"))?;
        std::fs::write(dir.path().join("web/hello.txt"), "Hello from a network of my own.\n")
            .map_err(told("web/hello.txt"))?;
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777))
            .map_err(told("chmod"))?;
        let drop_root = match is_root() {
            true => ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
                .map(String::from)
                .to_vec(),
            false => Vec::new(),
        };
        Ok(Self { dir, drop_root })
    }

    /// A command that runs in the stage as an ordinary user, on the host's kernel.
    fn bare(&self, program: &str, arguments: &[&str]) -> Command {
        let mut words =
            self.drop_root.iter().map(String::as_str).chain([program]).chain(arguments.iter().copied());
        let mut command = Command::new(words.next().unwrap_or(program));
        command
            .args(words)
            .current_dir(self.dir.path())
            .env("RUMP_SERVER", self.url())
            .env("HOME", self.dir.path());
        // The system's own programs: those of a version manager may lie where an ordinary user cannot go.
        command
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env_remove("RUMPHIJACK")
            .env_remove("LD_PRELOAD")
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY");
        command
    }

    /// The same on the rump kernel.
    fn hijacked(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare(program, arguments);
        command.env("LD_PRELOAD", self.dir.path().join("librumphijack.so"));
        command
    }

    fn url(&self) -> String {
        format!("unix://{}", self.dir.path().join("s").display())
    }

    /// Prints a command as one would type it, runs it and prints its output; answers whether it succeeded.
    fn show(&self, command: &mut Command) -> Outcome<(bool, String)> {
        println!("    $ {}", self.typed(command));
        let (success, printed) = capture(command)?;
        for line in printed.lines() {
            println!("    {line}");
        }
        Ok((success, printed))
    }

    /// As `show`, of a command that must succeed.
    fn step(&self, command: &mut Command) -> Outcome {
        let (success, _) = self.show(command)?;
        if success { Ok(()) } else { Err(format!("`{}` failed", self.typed(command))) }
    }

    fn typed(&self, command: &Command) -> String {
        let words = line(command);
        let words =
            words.strip_prefix(&format!("{} ", self.drop_root.join(" "))).unwrap_or(&words).to_owned();
        let hijacked = command.get_envs().any(|(name, value)| name == "LD_PRELOAD" && value.is_some());
        if hijacked { format!("LD_PRELOAD=./librumphijack.so RUMP_SERVER=unix://s {words}") } else { words }
    }

    fn background(&self, mut command: Command) -> Outcome<Background> {
        println!("    $ {} &", self.typed(&command));
        let log =
            std::fs::File::create(self.dir.path().join("python.log")).map_err(|error| error.to_string())?;
        let copy = log.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(log).stderr(copy);
        command.spawn().map(Background).map_err(|error| format!("cannot start python3: {error}"))
    }

    /// Until the page can be fetched; python3 takes a moment to start.
    fn wait_for_server(&self) -> Outcome {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let (success, printed) = capture(&mut self.hijacked("curl", &["-s", "-S", "http://127.0.0.1/"]))?;
            if success {
                return Ok(());
            }
            if Instant::now() > end {
                let log = std::fs::read_to_string(self.dir.path().join("python.log")).unwrap_or_default();
                return Err(format!("the hijacked python3 does not answer: {printed}{log}"));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Ends the rump kernel, if a step failed before the last.
    fn clear(&self) {
        if self.dir.path().join("s").exists() {
            let _ = capture(&mut self.bare("./rump", &["halt"]));
        }
    }
}

/// A program of the demo, ended with it.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a socket of the host listens on this TCP port (state 0A in /proc/net/tcp, proc(5)).
fn host_listens_on(port: u16) -> Outcome<bool> {
    let wanted = format!(":{port:04X}");
    let listens = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&wanted)) && fields.nth(1) == Some("0A")
    };
    let mut found = false;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"].map(PathBuf::from) {
        let text =
            std::fs::read_to_string(&table).map_err(|error| format!("{}: {error}", table.display()))?;
        found |= text.lines().any(listens);
    }
    Ok(found)
}

/// An I/O error with what it happened to.
fn told(what: &str) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{what}: {error}")
}
