//! Random calls on sockets, one after the other: each answers in the rump kernel what it answers on the host.

use e2e::{Server, native, run};
use std::process::Command;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/py/random_sockets.py");
const URGENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/py/unix_urgent.py");
const CALLS: &str = "250";
/// On a busy machine segments of `lo` may come later than they should, in either kernel: what differs does so each time.
const TRIES: usize = 3;

fn same(kind: &str, seeds: &[u32]) {
    let server = Server::start();
    let place = tempfile::tempdir().expect("a directory");
    for (n, seed) in seeds.iter().enumerate() {
        let ran = |mut python: Command, place: String| {
            python.args([PROGRAM, &place, &seed.to_string(), CALLS, kind]);
            run(python.env("RUMPHIJACK", "path=/rump,socket=all")).success()
        };
        let once = |again: usize| {
            let native = ran(native("python3"), format!("{}/{n}-{again}", place.path().display()));
            let hijacked = ran(server.hijacked("python3"), format!("/rump/{n}-{again}"));
            let differs = native.lines().zip(hijacked.lines()).find(|(host, rump)| host != rump);
            assert_eq!(native.lines().count(), hijacked.lines().count());
            let done = native.lines().filter(|line| !line.contains("-> E")).count();
            assert!(done > 100, "of {CALLS} calls {done} were carried out");
            differs.map(|(host, rump)| format!("{host}\n{rump}"))
        };
        let found: Vec<_> = (0..TRIES).map_while(once).collect();
        assert!(found.len() < TRIES, "{kind}, seed {seed}: the host's answer, the rump kernel's\n{found:#?}");
    }
    assert!(server.counter("calls") > 300, "not all went through the rump kernel");
}

#[test]
fn tcp() {
    same("tcp", &[1, 5, 7]);
}

#[test]
fn udp() {
    same("udp", &[2, 3, 4]);
}

#[test]
fn unix() {
    same("unix", &[1, 2, 3]);
}

/// `MSG_OOB` of AF_UNIX streams, since Linux 5.15.
#[test]
fn urgent_data_of_unix_streams() {
    let server = Server::start();
    for seed in 1..=6 {
        let ran = |mut python: Command| {
            run(python.args([URGENT, &seed.to_string(), "200"]).env("RUMPHIJACK", "path=/rump,socket=all"))
                .success()
        };
        assert_eq!(ran(server.hijacked("python3")), ran(native("python3")), "seed {seed}");
    }
    assert!(server.counter("call.recvfrom") > 100, "it did not go through the rump kernel");
}
