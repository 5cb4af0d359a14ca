//! NetBSD's tests/lib/librumphijack/t_asyncio: select and poll.

use e2e::{Server, c_program, run};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn h_client(server: &Server, case: &str) -> Command {
    let mut command = server.hijacked(c_program("h_client", server.directory()));
    command.arg(case);
    command
}

#[test]
fn select_timeout() {
    let server = Server::start();
    let _ = run(&mut h_client(&server, "select_timeout")).success();
}

#[test]
fn select_allunset() {
    let server = Server::start();
    let _ = run(&mut h_client(&server, "select_allunset")).success();
}

#[test]
fn invafd() {
    let server = Server::start();
    let before = Instant::now();
    // A pipe whose other end stays open: nothing comes, and no end of file either.
    let _ = run(h_client(&server, "invafd").stdin(Stdio::piped())).success();
    assert!(before.elapsed() < Duration::from_secs(4));
    assert!(server.counter("call.open") + server.counter("call.openat") > 0);
}
