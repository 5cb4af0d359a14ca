//! NetBSD's tests of rumpclient and sysproxy, by programs written for librumpclient. Programs that know nothing of it do
//! the same in t_rumpclient.rs and t_sp.rs.

use e2e::{Background, Ran, Server, artifact, native, rumpclient_program, run};
use std::path::Path;
use std::process::Command;

fn client(server: &Server) -> Command {
    let mut command = native(rumpclient_program("h_rumpclient", server.directory()));
    command.env("RUMP_SERVER", server.url());
    command
}

fn passes(arguments: &[&str]) {
    let server = Server::start();
    let ran = run(client(&server).args(arguments));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    assert!(server.counter("calls") > 0);
    assert_eq!(server.counter("calls.waiting"), 0, "nothing is left behind");
}

mod t_sp {
    use super::*;

    #[test]
    fn basic() {
        passes(&["basic"]);
    }

    #[test]
    fn stress_short() {
        passes(&["stress", "40"]);
    }

    #[test]
    fn stress_killer() {
        passes(&["killer", "50"]);
    }

    #[test]
    fn fork_simple() {
        passes(&["fork_simple"]);
    }

    #[test]
    fn fork_pipecomm() {
        passes(&["fork_pipecomm"]);
    }

    #[test]
    fn fork_fakeauth() {
        passes(&["fork_fakeauth"]);
    }

    #[test]
    fn sigsafe() {
        passes(&["sigsafe"]);
        passes(&["sigsafe", "SA_RESTART"]);
    }

    #[test]
    fn signal() {
        const SIGPIPE: i32 = 13;
        let server = Server::start();
        assert_eq!(run(client(&server).arg("signal")).status, 128 + SIGPIPE);
    }

    #[test]
    fn reconnect() {
        passes(&["reconnect"]);
    }
}

mod t_fd {
    use super::*;

    #[test]
    fn bigenough() {
        let server = Server::start();
        let program = rumpclient_program("h_rumpclient", server.directory());
        let script = format!("exec {} bigenough 0<&- 1>&- 2>&-", program.display());
        let ran = run(native("bash").args(["-c", &script]).env("RUMP_SERVER", server.url()));
        assert_eq!(ran.status, 0, "10 to 12: taken by rumpclient_init; 30 to 32: taken by a call; {ran:?}");
    }

    #[test]
    fn sigio() {
        passes(&["sigio"]);
    }
}

mod t_exec {
    use super::*;

    /// User, program and local address of what `rump sockstat` lists, while so many programs rest.
    fn listed(how: &str, resting: usize) -> Vec<(String, String, String)> {
        let server = Server::start();
        let log = server.directory().join("log");
        let lines = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
        let mut program = Background::start(client(&server).args(["sockets", how]), &log);
        program.wait_until(|| lines() >= resting);
        let listed = run(native(artifact("rump")).arg("sockstat").env("RUMP_SERVER", server.url())).success();
        let row = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[0].to_owned(), words[1].to_owned(), words[6].to_owned())
        };
        let mut rows: Vec<_> = listed.lines().skip(1).map(row).collect();
        rows.sort();
        rows
    }

    /// Rows of this program, with the sockets at these ports.
    fn rows(name: &str, ports: &[u16]) -> Vec<(String, String, String)> {
        let user = run(native("id").arg("-un")).success().trim().to_owned();
        ports.iter().map(|port| (user.clone(), name.to_owned(), format!("127.0.0.1:{port}"))).collect()
    }

    #[test]
    fn noexec() {
        // The kernel keeps 15 bytes of a name.
        assert_eq!(listed("", 1), rows("h_rumpclient", &[1234, 2345]));
    }

    #[test]
    fn exec() {
        assert_eq!(listed("exec", 1), rows("h_ution", &[1234, 2345]));
    }

    #[test]
    fn cloexec() {
        assert_eq!(listed("cloexec", 1), rows("h_ution", &[2345]));
    }

    #[test]
    fn vfork() {
        let both = [rows("fourchette", &[1234, 2345]), rows("h_ution", &[1234, 2345])].concat();
        assert_eq!(listed("vfork", 2), both);
    }

    #[test]
    fn threxec() {
        passes(&["threxec", "11"]);
    }
}

#[test]
fn a_signal_ends_one_call_of_many() {
    passes(&["one_interrupted"]);
}

#[test]
fn children_by_vfork_make_calls() {
    passes(&["vfork_calls"]);
}

#[test]
fn select() {
    passes(&["selects"]);
}

#[test]
fn daemon() {
    let server = Server::start();
    let done = server.directory().join("done");
    assert_eq!(run(client(&server).arg("daemon").arg(&done)).status, 0);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !done.exists() {
        assert!(std::time::Instant::now() < end, "the daemon does not come so far");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// closefrom(3) by a program that does not tell the library of it.
#[test]
fn a_connection_that_was_closed_under_the_library() {
    let server = Server::start();
    let ran = run(client(&server).arg("closed"));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.ends_with("rump_sp: reconnected!\n"), "{}", ran.stderr);
}

#[test]
fn no_server() {
    let server = Server::start();
    let connect = |url: Option<&str>| {
        let mut command = client(&server);
        command.arg("connect").env_remove("RUMP_SERVER");
        url.map(|url| command.env("RUMP_SERVER", url));
        let Ran { status, stdout, .. } = run(&mut command);
        (status, stdout.trim().to_owned())
    };
    assert_eq!(connect(Some(&server.url())), (0, String::new()));
    assert_eq!(connect(None), (1, "ENOENT".to_owned()));
    assert_eq!(connect(Some("unix:///nonexistent/s")), (1, "ENOENT".to_owned()));
    assert_eq!(connect(Some("somewhere")), (1, "EINVAL".to_owned()));
}

/// Runs `h_rumpclient lost MODE`, restarts the server or ends it, and answers what came of it.
fn lost(mode: &str, comes_back: bool) -> (i32, String) {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut server = Server::start();
    let mut command = client(&server);
    command.args(["lost", mode]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("our own program");
    let mut output = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut output, &mut line).expect("our own pipe");
    assert_eq!(line, "ready\n");
    if comes_back {
        server.restart()
    } else {
        server.kill()
    }
    child.stdin.take().expect("piped").write_all(b"x").expect("our own pipe");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut output, &mut said).expect("our own pipe");
    let status = child.wait().expect("our own child").code().unwrap_or(-1);
    (status, said.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn a_lost_server() {
    let ended = |said: &str| (0, said.to_owned());
    // EBADF: the call was for the kernel before, and went to one that knows no descriptor of it.
    assert_eq!(lost("inftime", true), ended("EBADF again"));
    assert_eq!(lost("5", true), ended("EBADF again"));
    assert_eq!(lost("once", true), ended("EBADF again"));
    assert_eq!(lost("once", false), ended("ENOTCONN ENOTCONN"));
    assert_eq!(lost("1", false), ended("ENOTCONN ENOTCONN"));
    assert_eq!(lost("0", true), ended("ENOTCONN ENOTCONN"));
    assert_eq!(lost("die", true), (1, String::new()));
}

#[test]
fn over_tcp() {
    e2e::ordinary_user();
    let directory = tempfile::tempdir().expect("a directory");
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|held| held.local_addr()).expect("a port").port();
    let url = format!("tcp://127.0.0.1:{port}/");
    let log = directory.path().join("log");
    let mut server = Background::start(native(artifact("rump_server")).args(["-s", &url]), &log);
    server.wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let program = rumpclient_program("h_rumpclient", directory.path());
    for mode in [&["basic"][..], &["fork_pipecomm"], &["sigsafe"], &["threxec", "2"]] {
        let ran = run(native(&program).args(mode).env("RUMP_SERVER", &url));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{mode:?}");
    }
}

/// The header, the library's exported names and the C library's own prototypes agree.
#[test]
fn header() {
    let server = Server::start();
    let text =
        std::fs::read_to_string(e2e::repository().join("include/rump/rump_syscalls.h")).expect("the header");
    let declared = |line: &str| {
        let (head, _) = line.strip_suffix(';')?.split_once('(')?;
        head.rsplit(' ').next().map(str::to_owned)
    };
    let mut declared: Vec<String> = text.lines().filter_map(declared).collect();
    declared.sort();
    let library = artifact("librumpclient.so");
    let names = run(native("nm").args(["-D", "--defined-only"]).arg(&library)).success();
    let mut exported: Vec<String> =
        names.lines().filter_map(|line| line.rsplit(' ').next()).map(str::to_owned).collect();
    exported.retain(|name| name.starts_with("rump_sys_"));
    exported.sort();
    assert_eq!(declared, exported);
    assert!(declared.len() > 120);
    let program = rumpclient_program("h_prototypes", server.directory());
    assert!(Path::new(&program).exists());
}
