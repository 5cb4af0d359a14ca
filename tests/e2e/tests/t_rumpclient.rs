//! NetBSD's tests/lib/librumpclient, t_fd and t_exec, as far as plain programs show them.

use e2e::{Background, Server, artifact, c_program, native, run};
use std::path::{Path, PathBuf};

#[test]
fn bigenough() {
    let server = Server::start();
    let program = c_program("h_sp", server.directory());
    let script = format!("exec {} bigenough 0<&- 1>&- 2>&-", program.display());
    let ran = run(server.hijacked("bash").args(["-c", &script]));
    assert_eq!(ran.status, 0, "10 to 12: taken before main; 30 to 32: taken by a call; {ran:?}");
}

#[test]
fn sigio() {
    let server = Server::start();
    let ran = run(server.hijacked(c_program("h_sp", server.directory())).arg("sigio"));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}

/// The program under another name, as the kernel will know it.
fn named(program: &Path, name: &str) -> PathBuf {
    let copy = program.with_file_name(name);
    std::fs::copy(program, &copy).expect("a copy");
    copy
}

/// Names and local addresses of what `rump sockstat` lists.
fn sockets(server: &Server) -> Vec<(String, String)> {
    let listed = run(native(artifact("rump")).arg("sockstat").env("RUMP_SERVER", server.url())).success();
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[1].to_owned(), words[6].to_owned())
    };
    let mut rows: Vec<_> = listed.lines().skip(1).map(row).collect();
    rows.sort();
    rows
}

fn pair(name: &str, port: &str) -> (String, String) {
    (name.to_owned(), format!("127.0.0.1:{port}"))
}

/// Starts `h_exec sockets ARGUMENTS`, waits until so many programs rest, and answers what is listed.
fn listed(arguments: impl Fn(&Path) -> Vec<String>, resting: usize) -> Vec<(String, String)> {
    let server = Server::start();
    let program = c_program("h_sp", server.directory());
    let mut command = server.hijacked(named(&program, "h_exec"));
    let mut run =
        Background::start(command.arg("sockets").args(arguments(&program)), &server.directory().join("log"));
    let log = server.directory().join("log");
    let lines = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    run.wait_until(|| lines() >= resting);
    sockets(&server)
}

#[test]
fn noexec() {
    assert_eq!(listed(|_| vec![], 1), [pair("h_exec", "1234"), pair("h_exec", "2345")]);
}

#[test]
fn exec() {
    let h_ution = |program: &Path| vec![named(program, "h_ution").display().to_string()];
    assert_eq!(listed(h_ution, 1), [pair("h_ution", "1234"), pair("h_ution", "2345")]);
}

#[test]
fn cloexec() {
    let h_ution =
        |program: &Path| vec![named(program, "h_ution").display().to_string(), "cloexec".to_owned()];
    assert_eq!(listed(h_ution, 1), [pair("h_ution", "2345")]);
}

#[test]
fn vfork() {
    let both = |program: &Path| {
        let path = |name| named(program, name).display().to_string();
        vec![path("h_ution"), String::new(), path("fourchette")]
    };
    let names = ["fourchette", "h_ution"];
    let expected: Vec<_> = names.iter().flat_map(|name| [pair(name, "1234"), pair(name, "2345")]).collect();
    assert_eq!(listed(both, 2), expected);
}

#[test]
fn threxec() {
    let server = Server::start();
    let ran = run(server.hijacked(c_program("h_sp", server.directory())).args(["threxec", "11"]));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert_eq!(server.counter("calls.waiting"), 0, "the old threads' reads are forgotten");
}
