//! Children of every kind in great number, and storms of exec and of signals: as natively.

use e2e::{Server, c_program, native, run};

fn same(what: &str, call: &str) -> String {
    let server = Server::start();
    let program = c_program("h_family", server.directory());
    let here = server.directory().join("here");
    std::fs::create_dir(&here).expect("a host directory");
    let expected = run(native(&program).arg(&here).arg(what)).success();
    let _ = run(server.hijacked("mkdir").arg("/rump/here")).success();
    // AF_UNIX sockets too, so that it is the rump kernel in which a read waits.
    let mut hijacked = server.hijacked(&program);
    let found =
        run(hijacked.env("RUMPHIJACK", "path=/rump,socket=all").arg("/rump/here").arg(what)).success();
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter(&format!("call.{call}")) > 0, "{call} did not go through the rump kernel");
    found
}

/// clone(2) with CLONE_VM and without CLONE_VFORK: more of them than anything that is kept for each may be left over of.
#[test]
fn children_that_share_the_memory() {
    assert_eq!(same("sharing", "openat"), "failed 0, counted 160, files 160, spawned 10\n");
}

/// Memory, descriptors, working directory and mask shared or not, in each combination that Linux takes.
#[test]
fn children_of_each_set_of_flags() {
    let told = e2e::same_program("h_clone", "openat");
    assert!(
        told.contains(" VM FILES FS: status 0, failed 0, memory 1") && told.contains(" SIGHAND: EINVAL"),
        "{told}"
    );
}

#[test]
fn a_hundred_vfork_children_at_once() {
    assert_eq!(same("vforks", "openat"), "good 100, at once 100\n");
}

#[test]
fn a_program_that_runs_itself() {
    assert_eq!(same("execs", "write"), "written 201, same 1\n");
}

#[test]
fn reads_that_signals_interrupt() {
    let restarted = "got 1 x, alarms 1, interrupted 0\n";
    let interrupted = "got 1 x, alarms 1, interrupted 1\n";
    assert_eq!(same("signals", "socketpair"), format!("{restarted}{interrupted}"));
}
