//! A program's own handler for the SIGSYS of seccomp(2): on the stack that it asked for, with calls to the rump kernel inside.

use e2e::{Server, c_program, native, run};

/// Runs h_sigsys natively and hijacked; both print the same.
fn same(what: &str) -> String {
    let server = Server::start();
    let program = c_program("h_sigsys", server.directory());
    let expected = run(native(&program).arg(what)).success();
    let found = run(server.hijacked(&program).arg(what));
    assert_eq!((found.stdout.as_str(), found.status), (expected.as_str(), 0), "{}", found.stderr);
    assert!(server.counter("call.connect") > 0, "the handlers' calls");
    found.stdout
}

/// With an alternate stack of 16 KiB a handler without SA_ONSTACK uses 64 KiB.
#[test]
fn stacks_and_ways_back() {
    assert!(same("").contains("not on it: 4242, alternate 0, where 1, depth 3"));
}

/// While signals with SA_ONSTACK come all the time.
#[test]
fn threads() {
    assert_eq!(same("threads"), "threads: 0 wrong, storm on its stack 1\n");
}
