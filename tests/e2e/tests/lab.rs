//! `rump lab`: the example labs, and what becomes of a lab that cannot be.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Ran, artifact, native, ordinary_user, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const EXAMPLES: [(&str, &str); 3] = [
    ("two-hosts.toml", include_str!("../../../examples/two-hosts.toml")),
    ("three-routers.toml", include_str!("../../../examples/three-routers.toml")),
    ("twenty-hosts.toml", include_str!("../../../examples/twenty-hosts.toml")),
];

/// A place for labs of one test, all of which end with this value.
struct Labs(tempfile::TempDir);

impl Labs {
    fn new() -> Self {
        ordinary_user();
        Self(tempfile::Builder::new().prefix("labs").tempdir().unwrap())
    }

    fn rump(&self, args: &[&str]) -> Command {
        let mut command = native(artifact("rump"));
        command
            .arg("lab")
            .args(args)
            .env("RUMP_LAB_DIR", self.0.path().join("state"))
            .current_dir(self.0.path());
        command
    }

    fn lab(&self, args: &[&str]) -> Ran {
        run(&mut self.rump(args))
    }

    /// A file in the place, from which `up` starts.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// An example of the repository's.
    fn example(&self, name: &str) -> String {
        let (_, text) = EXAMPLES.iter().find(|(known, _)| *known == name).unwrap();
        self.file(name, text)
    }

    /// Nothing is left: no directory of a lab, no process that knows of one.
    fn is_empty(&self) -> bool {
        let left = std::fs::read_dir(self.0.path().join("state")).map_or(0, Iterator::count);
        left == 0 && living_by(&self.0.path().join("state")).is_empty()
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        let _ = self.lab(&["down", "--all"]);
    }
}

/// Processes whose command line or environment names a file at or below this path.
fn living_by(path: &Path) -> Vec<PathBuf> {
    let mark = path.display().to_string();
    let names = |process: &PathBuf| {
        let words =
            ["cmdline", "environ"].map(|file| std::fs::read(process.join(file)).unwrap_or_default()).concat();
        String::from_utf8_lossy(&words).split('\0').any(|word| {
            word.trim_start_matches("RUMP_SERVER=").trim_start_matches("unix://").starts_with(&mark)
        })
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(names).collect()
}

#[test]
fn two_hosts() {
    let labs = Labs::new();
    let file = labs.example("two-hosts.toml");
    assert_eq!(labs.lab(&["up", &file]).success(), "lab 'two-hosts' is up: web, client\n");
    // Each way takes 5 ms, and hosts know each other by name.
    let printed = labs.lab(&["exec", "client", "--", "ping", "-c", "2", "-i", "0.2", "web"]).success();
    let best: f64 =
        printed.split("min/avg/max/mdev = ").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    assert!((10.0..30.0).contains(&best), "{printed}");
    let page = labs.lab(&["exec", "client", "curl", "-sS", "http://web/two-hosts.toml"]).success();
    assert_eq!(page, std::fs::read_to_string(&file).unwrap());
    assert!(labs.lab(&["logs", "web"]).success().contains("GET /two-hosts.toml"));
    // Its exit status, and a kernel of its own.
    let ran = labs.lab(&["exec", "client", "--", "sh", "-c", "hostname; echo x > /rump/x; exit 7"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (7, "client\n"));
    assert_eq!(labs.lab(&["exec", "web", "ls", "/rump/x"]).status, 2);
    assert_eq!(labs.lab(&["exec", "client", "no-such-program-here"]).status, 127);
    let ran = labs.lab(&["exec", "nobody", "true"]);
    assert!(ran.status == 125 && ran.stderr.contains("there are web, client"), "{ran:?}");
    let ran = labs.lab(&["up", &file]);
    assert!(ran.status == 1 && ran.stderr.contains("`rump lab down two-hosts` ends it"), "{ran:?}");
    let printed = labs.lab(&["status", "two-hosts"]).success();
    assert!(printed.contains("http runs") && printed.lines().count() == 3, "{printed}");
    assert_eq!(labs.lab(&["down", &file]).success(), "");
    assert!(labs.is_empty());
    let ran = labs.lab(&["exec", "client", "true"]);
    assert!(ran.status == 125 && ran.stderr.contains("no lab is up"), "{ran:?}");
}

#[test]
fn three_routers() {
    let labs = Labs::new();
    labs.lab(&["up", &labs.example("three-routers.toml")]).success();
    let exec = |host: &str, words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        labs.lab(&[&["exec", host, "--"], &words[..]].concat()).success()
    };
    // 64 less two routers; and over the third one that asks for it.
    let ping = "ping -4 -c 1 -W 5 -n right";
    assert!(exec("left", ping).contains("ttl=62"));
    assert!(exec("left", "ping -6 -c 1 -W 5 -n right").contains("ttl=62"));
    exec("r1", "ip route replace 10.0.2.0/24 via 10.0.13.3");
    exec("r2", "ip route replace 10.0.1.0/24 via 10.0.23.3");
    let printed = exec("left", ping);
    assert!(printed.contains("ttl=61"), "{printed}");
    assert!(exec("left", "curl -sS4 http://right:8080/").contains("three-routers.toml"));
    let rump = artifact("rump").display().to_string();
    exec("r3", &format!("{rump} link set eth0 loss=100%"));
    assert_eq!(labs.lab(&["exec", "left", "--", "ping", "-4", "-c", "1", "-W", "1", "right"]).status, 1);
    labs.lab(&["down"]).success();
    assert!(labs.is_empty());
}

#[test]
fn twenty_hosts() {
    let labs = Labs::new();
    labs.lab(&["up", &labs.example("twenty-hosts.toml")]).success();
    assert_eq!(labs.lab(&["status"]).success().matches(" up ").count(), 20);
    let page = labs.lab(&["exec", "h01", "curl", "-sS", "http://h18/"]).success();
    assert!(page.contains("twenty-hosts.toml"), "{page}");
    // All of them at once.
    let pings: Vec<_> = (2..=18)
        .map(|number| {
            let host = format!("h{number:02}");
            let mut ping = labs.rump(&["exec", &host, "ping", "-q", "-c", "1", "-W", "5", "h01"]);
            ping.stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut ping in pings {
        assert!(ping.wait().unwrap().success());
    }
    labs.lab(&["down"]).success();
    assert!(labs.is_empty());
}

/// A lab that fails on the way takes down what it has started, and says where in its file the cause is.
#[test]
fn all_or_nothing() {
    let labs = Labs::new();
    const LAN: &str =
        "[segment.lan]\n[host.a.link.eth0]\nsegment = 'lan'\n[host.a.program.sleep]\nrun = 'sleep 60'\n";
    for (more, place, part) in [
        ("[host.b]\nexec = ['true', 'echo because; exit 3']", "7:17", "    | because"),
        ("[host.b.program.p]\nrun = 'echo because; exit 3'\nport = 80", "6:17", "    | because"),
        ("[host.b]\nsysctl = { 'net.no.such' = 1 }", "7:12", "no sysctl 'net.no.such'"),
        ("[host.b]\nsysctl = { 'net.ipv4.ip_forward' = 2 }", "7:12", "does not take '2'"),
        ("[host.b.link.e]\ntype = 'wg'\nconf = 'no-such.conf'", "6:7", "no-such.conf"),
    ] {
        let file = labs.file("broken.toml", &format!("{LAN}{more}\n"));
        let ran = labs.lab(&["up", &file]);
        let at = format!("broken.toml:{place}: ");
        assert!(ran.status == 1 && ran.stderr.contains(&at) && ran.stderr.contains(part), "{more}: {ran:?}");
        assert!(labs.is_empty(), "{more}");
    }
    let ran = labs.lab(&["check", &labs.file("x.toml", "[host.a]\ncolour = 'red'\n")]);
    assert!(
        ran.status == 1 && ran.stderr.contains("x.toml:2:1: unknown key 'colour' of host 'a'"),
        "{ran:?}"
    );
}

/// Whatever the programs do, and wherever `up` was killed.
#[test]
fn down_always_cleans_up() {
    let labs = Labs::new();
    // A daemon in a session of its own that has written over its environment, and a program that does not hear SIGTERM.
    let daemon = "import ctypes, socket, time\nserver = socket.create_server(('', 80))\n\
        first = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), 'environ')[0]\n\
        ctypes.memset(first, 0, len(open('/proc/self/environ').read()) - 1)\ntime.sleep(60)\n";
    let daemon = labs.file("daemon.py", daemon);
    let text = format!(
        "[host.a.program.daemon]\nrun = 'setsid -f python3 {daemon}; sleep 60'\nport = 80\n\
         [host.a.program.deaf]\nrun = \"trap '' TERM; while :; do sleep 1; done\"\n"
    );
    labs.lab(&["up", &labs.file("lab.toml", &text)]).success();
    let daemons = || living_by(Path::new(&daemon));
    assert_eq!(daemons().len(), 1);
    let mut shell = labs.rump(&["exec", "a", "sleep", "60"]).spawn().unwrap();
    labs.lab(&["down"]).success();
    assert!(labs.is_empty() && daemons().is_empty());
    assert!(!shell.wait().unwrap().success());

    let file = labs.file("slow.toml", "[host.a.program.slow]\nrun = 'sleep 50'\nport = 80\n");
    let mut up = labs.rump(&["up", &file]).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while !labs.lab(&["status"]).stdout.contains("slow runs") && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = labs.lab(&["down", "slow"]);
    assert!(ran.stderr.contains("is being started"), "{ran:?}");
    up.kill().unwrap();
    up.wait().unwrap();
    labs.lab(&["down", "slow"]).success();
    assert!(labs.is_empty());
}

/// Interrupted, `up` takes down what it has started.
#[test]
fn interrupted() {
    let labs = Labs::new();
    let file = labs.file("slow.toml", "[host.a.program.slow]\nrun = 'sleep 50'\nport = 80\n");
    let up = labs.rump(&["up", &file]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while !labs.lab(&["status"]).stdout.contains("slow runs") && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    run(native("kill").args(["-INT", &up.id().to_string()])).success();
    let output = up.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
    assert!(labs.is_empty());
}
