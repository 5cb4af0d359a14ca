//! Random calls on files, one after the other: each answers in the rump kernel what it answers on the host's tmpfs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Server, invoking_user, native, run, syscall};
use std::process::Command;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/py/random_calls.py");
const CALLS: &str = "700";
/// Root, and nobody.
const USERS: [u32; 2] = [0, 65534];

/// Without root there is nobody whom both kernels take for the same user: who runs a server is root in its kernel.
#[test]
fn random_calls() {
    invoking_user();
    if syscall(abi::nr::GETEUID, [0; 6]) != Ok(0) {
        return;
    }
    let server = Server::start();
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let script = "mkdir /rump/here && chmod 1777 /rump/here";
    let _ = run(server.hijacked("sh").args(["-c", script])).success();
    let _ = run(native("chmod").arg("1777").arg(place.path())).success();
    for seed in 1..=3 {
        for uid in USERS {
            let ran = |mut python: Command, place: &str| {
                python.args([PROGRAM, place, &seed.to_string(), CALLS, &uid.to_string()]);
                run(&mut python).success()
            };
            let expected = ran(native("python3"), &place.path().to_string_lossy());
            let found = ran(server.hijacked("python3"), "/rump/here");
            let differs = expected.lines().zip(found.lines()).find(|(host, rump)| host != rump);
            assert_eq!(differs, None, "seed {seed}, user {uid}: the host's answer, the rump kernel's");
            assert_eq!(found.lines().count(), expected.lines().count());
            let done = expected.lines().filter(|line| !line.contains("-> E")).count();
            assert!(done > 70, "of {CALLS} calls {done} were carried out");
        }
    }
    assert!(server.counter("calls") > 2000, "not all went through the rump kernel");
}
