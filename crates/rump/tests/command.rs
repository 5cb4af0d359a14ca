//! The `rump` command as it is typed.
#![allow(clippy::unwrap_used, reason = "a test ends there")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const RUMP: &str = env!("CARGO_BIN_EXE_rump");

/// Stands in for librumphijack.so where what it does is not the question.
const HARMLESS: &str = "/lib/x86_64-linux-gnu/libm.so.6";

/// Builds rump_server, which cargo does not do for this package's tests.
fn server_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "server"]).status().unwrap();
        assert!(built.success());
        Path::new(RUMP).with_file_name("rump_server")
    })
}

fn rump(args: &[&str]) -> Command {
    server_program();
    let mut command = Command::new(RUMP);
    command.args(args).env("RUMPHIJACK_LIB", HARMLESS).env_remove("RUMP_SERVER").env_remove("LD_PRELOAD");
    command
}

fn run(args: &[&str]) -> Output {
    rump(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < limit, "waited ten seconds for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server that ends with the test.
struct Server {
    dir: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let server = Self { dir: tempfile::tempdir().unwrap() };
        assert!(Command::new(server_program()).arg(server.url()).status().unwrap().success());
        server
    }

    fn url(&self) -> String {
        format!("unix://{}", self.dir.path().join("s").display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = run(&["halt", "--server", &self.url()]);
    }
}

#[test]
fn the_exit_status_is_the_programs() {
    for (args, expected) in [
        (&["run", "--", "sh", "-c", "exit 7"][..], 7),
        (&["run", "true"], 0),
        (&["run", "--", "no-such-program-here"], 127),
        (&["run", "--", "/etc/passwd"], 126),
        (&["run", "--", "/"], 126),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(expected), "{args:?}: {}", err(&output));
    }
    let output = run(&["run", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(output.status.signal(), Some(9));
}

#[test]
fn its_own_failures_are_125() {
    for (name, value) in [("RUMPHIJACK_LIB", "/no/such/lib.so"), ("TMPDIR", "/no/such/directory")] {
        let output = rump(&["run", "true"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{name}");
        assert_eq!(err(&output).lines().count(), 1, "{}", err(&output));
    }
}

#[test]
fn what_the_program_is_given() {
    let script = "echo $RUMP_SERVER $LD_PRELOAD $RUMPHIJACK $RUMPHIJACK_RETRYCONNECT";
    let options =
        ["run", "--server", "unix:///s", "--rumphijack", "path=/x", "--retry", "die", "sh", "-c", script];
    let library = std::fs::canonicalize(HARMLESS).unwrap();
    assert_eq!(out(&run(&options)), format!("unix:///s {} path=/x die\n", library.display()));
}

#[test]
fn a_private_server_lives_as_long_as_the_program() {
    let script = "test -S ${RUMP_SERVER#unix://} && echo $RUMP_SERVER";
    let output = run(&["run", "--", "sh", "-c", script]);
    let url = out(&output);
    let socket = PathBuf::from(url.trim().strip_prefix("unix://").unwrap());
    wait_for("its directory to go", || !socket.parent().unwrap().exists());
}

#[test]
fn a_private_server_ends_if_the_command_is_killed() {
    for signal in ["-TERM", "-KILL"] {
        let mut child = rump(&["run", "-v", "--", "sleep", "60"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find_map(|word| word.strip_prefix("RUMP_SERVER=unix://")).unwrap();
        let directory = Path::new(url).parent().unwrap();
        assert!(directory.exists());
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(!child.wait().unwrap().success());
        wait_for("its directory to go", || !directory.exists());
    }
}

#[test]
fn looking_into_a_server_and_ending_it() {
    let server = Server::start();
    let output = run(&["ps", "--server", &server.url()]);
    assert!(out(&output).starts_with("PID") && out(&output).contains("rump"), "{}", err(&output));
    let output = rump(&["sockstat"]).env("RUMP_SERVER", server.url()).output().unwrap();
    assert!(out(&output).contains("LOCAL ADDRESS"), "{}", err(&output));
    assert!(run(&["halt", "--server", &server.url()]).status.success());
    assert!(!server.dir.path().join("s").exists(), "it is gone when rump halt returns");
    let output = run(&["ps", "--server", &server.url()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("no server was started there"), "{}", err(&output));
}

#[test]
fn a_server_on_tcp() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("tcp://127.0.0.1:{port}/");
    assert!(Command::new(server_program()).arg(&url).status().unwrap().success());
    assert!(out(&run(&["ps", "--server", &url])).contains("rump"));
    let second = Command::new(server_program()).arg(&url).output().unwrap();
    assert!(err(&second).contains("another server serves this URL"), "{}", err(&second));
    assert!(run(&["halt", "--server", &url]).status.success());
}

/// `rump halt` and `rump_server` one behind the other, as in a script.
#[test]
fn a_server_in_the_place_of_one_that_was_halted() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("unix://{}/s", dir.path().display());
    for _ in 0..20 {
        let started = Command::new(server_program())
            .args(["-n", "name=b0,type=bus,path=bus", &url])
            .current_dir(&dir)
            .output()
            .unwrap();
        assert!(started.status.success(), "{}", err(&started));
        assert!(run(&["halt", "--server", &url]).status.success());
    }
}

#[test]
fn a_reader_who_has_had_enough_is_no_failure() {
    let script = format!("{RUMP} coverage | head -1; {RUMP} completions zsh | true");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(err(&output), "");
}

#[test]
fn errors_say_what_to_do() {
    assert!(err(&run(&["ps"])).contains("--server URL or RUMP_SERVER=URL"));
    assert!(err(&run(&["halt", "--server", "ftp://x"])).contains("expected unix://PATH"));
    assert!(err(&run(&["halt", "--server", "tcp://*:1"])).contains("only a server can have any address"));
    assert!(err(&run(&["coverage", "frobnicate"])).contains("'frobnicate'"));
}

#[test]
fn check_tells_what_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(&["check", "sh"]);
    assert!(output.status.success() && out(&output).contains("dynamic"), "{}", err(&output));
    assert!(out(&output).contains("calls rewritten"), "{}", out(&output));

    let script = dir.path().join("script");
    std::fs::write(&script, "#!/bin/sh -e\n").unwrap();
    let output = run(&["check", script.to_str().unwrap()]);
    assert!(output.status.success() && out(&output).contains("a script for /bin/sh"));

    assert!(err(&run(&["check", "/etc/passwd"])).contains("no 64-bit ELF file"));
    assert!(err(&run(&["check", "no-such-program-here"])).contains("not found in PATH"));

    // Linked statically by hand: a header and no program header at all.
    let fixed = dir.path().join("static");
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[16] = 2; // ET_EXEC
    header[18] = 62; // EM_X86_64
    header[20] = 1;
    header[52] = 64;
    header[54] = 56;
    std::fs::write(&fixed, header).unwrap();
    let output = run(&["check", fixed.to_str().unwrap()]);
    assert!(output.status.success() && out(&output).contains("statically linked"), "{}", err(&output));
}

#[test]
fn documents() {
    assert!(out(&run(&["coverage"])).contains("calls: "));
    assert!(out(&run(&["coverage", "read"])).starts_with("read"));
    assert!(out(&run(&["completions", "bash"])).contains("sockstat"));
    assert!(out(&run(&["man"])).contains(".TH rump"));
    assert!(out(&run(&["man", "run"])).contains("rumphijack"));
}

#[test]
fn a_trace_tells_the_calls_of_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trace");
    let script = format!("{RUMP} ps >/dev/null; exit 3");
    let output = run(&["trace", "-o", file.to_str().unwrap(), "--", "sh", "-c", &script]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    let trace = std::fs::read_to_string(file).unwrap();
    assert!(trace.lines().all(|line| line.contains(" rump rump_info(0, 0x1000, 65536) = ")), "{trace}");
    assert_eq!(trace.lines().count(), 1, "{trace}");
}
