//! NetBSD's tests/rump/rumpkern/t_sp.sh. fork_fakeauth is in server's tests: no plain program forges a cookie.

use e2e::{Ran, Server, c_program, run};

fn h_sp(server: &Server, arguments: &[&str]) -> Ran {
    run(server.hijacked(c_program("h_sp", server.directory())).args(arguments))
}

fn passes(arguments: &[&str]) {
    let server = Server::start();
    let ran = h_sp(&server, arguments);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    assert!(server.counter("calls") > 0);
    assert_eq!(server.counter("calls.waiting"), 0, "nothing is left behind");
}

#[test]
fn basic() {
    passes(&["basic"]);
}

#[test]
fn stress_short() {
    passes(&["stress", "1"]);
}

#[test]
#[ignore = "takes 20 seconds; CONTRIBUTING.md lists it with the longer suites"]
fn stress_long() {
    passes(&["stress", "20"]);
}

#[test]
fn stress_killer() {
    passes(&["stress", "2", "kill"]);
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
fn sigsafe() {
    passes(&["sigsafe"]);
    passes(&["sigsafe", "SA_RESTART"]);
}

#[test]
fn signal() {
    const SIGPIPE: i32 = 13;
    let server = Server::start();
    assert_eq!(h_sp(&server, &["signal"]).status, 128 + SIGPIPE);
}

#[test]
fn reconnect() {
    passes(&["reconnect"]);
}
