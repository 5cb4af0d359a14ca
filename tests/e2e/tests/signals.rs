//! signal(7), cancellation, many threads and the ends of processes over calls that wait in the rump kernel.

use e2e::{Server, c_program, native, run};

/// Runs one part of h_signals natively and hijacked; both print the same.
fn same(what: &str) -> String {
    let server = Server::start();
    let program = c_program("h_signals", server.directory());
    let expected = run(native(&program).arg(what).arg(server.directory())).success();
    let found = run(server.hijacked(&program).arg(what).arg("/rump/tmp"));
    assert_eq!((found.stdout.as_str(), found.status), (expected.as_str(), 0), "{}", found.stderr);
    assert!(server.counter("call.connect") + server.counter("call.accept") > 0);
    assert_eq!(server.counter("files.open"), 0, "what waited in a process that is gone is gone");
    found.stdout
}

/// Each call ends with EINTR or is made again as signal(7) lists.
#[test]
fn restart() {
    assert!(same("restart").contains("recv, SA_RESTART: 4"));
}

/// Forty kinds of calls that wait, the rump kernel's AF_UNIX sockets, fifos and locks among them.
fn waits(how: &str) -> String {
    let server = Server::start();
    let program = c_program("h_waits", server.directory());
    let here = server.directory().join("here");
    std::fs::create_dir(&here).expect("a host directory");
    let expected = run(native(&program).arg(&here).arg(how)).success();
    let _ = run(server.hijacked("mkdir").arg("/rump/here")).success();
    let mut hijacked = server.hijacked(&program);
    let hijacked = hijacked.env("RUMPHIJACK", "path=/rump,socket=all").arg("/rump/here").arg(how);
    let found = run(hijacked).success();
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter("call.accept4") + server.counter("call.accept") > 0);
    found
}

#[test]
fn every_call_that_waits_is_interrupted_as_signal_7_lists() {
    let told = waits("restart");
    assert!(told.contains("recv, TCP, SA_RESTART, timed: interrupted -1 EINTR"), "{told}");
}

#[test]
fn every_call_that_waits_can_be_left_and_made_again() {
    let told = waits("leave");
    assert!(told.contains("sendmmsg, TCP, cancelled: left 1, caught 1, then 1"), "{told}");
}

#[test]
fn handlers_that_make_calls() {
    same("handlers");
}

#[test]
fn cancellation() {
    same("cancel");
}

#[test]
fn a_thousand_threads() {
    assert_eq!(same("threads"), "1000 threads got 5000 bytes\n");
}

#[test]
fn alarms_under_load() {
    assert_eq!(same("storm"), "right 500, jumps 500\n");
}

#[test]
fn faults_with_their_addresses() {
    assert!(same("faults").contains("signal 8, own stack 1"));
}

#[test]
fn ends_of_processes() {
    same("ends");
}
