//! A server that is killed in the middle of writes: what was synced is there, and the image can be repaired, here and by e2fsck(8).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Drive, c_program, native, run};
use std::path::Path;
use std::time::Duration;

/// Kills a server at a moment that the seed says while two programs write; looks whether all is there that must be.
fn kill_and_look(drive: &mut Drive, program: &Path, seed: u64) {
    let log = drive.place().join(format!("log.{seed}"));
    let server = drive.server();
    let workers: Vec<_> = (0..2)
        .map(|worker| {
            let mut command = server.hijacked(program);
            command.args(["work", "/rump/mnt"]).arg(&log).args([worker.to_string(), seed.to_string()]);
            command.spawn().unwrap()
        })
        .collect();
    let random = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 33;
    std::thread::sleep(Duration::from_millis(60 + random % 600));
    drive.kill();
    for mut worker in workers {
        worker.wait().unwrap();
    }
    if seed % 2 == 1 {
        // 1: it has put something right.
        let repaired = run(native("e2fsck").arg("-p").arg(drive.image()));
        assert!(repaired.status <= 1, "seed {seed}: {repaired:?}");
    }
    drive.mount();
    let found = run(drive.server().hijacked(program).args(["check", "/rump/mnt"]).arg(&log));
    assert_eq!(found.status, 0, "seed {seed}: {found:?}\n{}", std::fs::read_to_string(&log).unwrap());
    assert!(found.stdout.contains("is known"), "{found:?}");
    drive.sh("rm -rf * 2>/dev/null; echo again > file; cat file");
    drive.unmount();
    drive.mount();
}

fn rounds(seeds: std::ops::Range<u64>) {
    let mut drive = Drive::ext4("64m");
    let program = c_program("h_crash", drive.place());
    for seed in seeds {
        kill_and_look(&mut drive, &program, seed);
    }
}

#[test]
fn what_was_synced_is_there() {
    rounds(1..5);
}

#[test]
#[ignore = "a minute: CONTRIBUTING.md"]
fn what_was_synced_is_there_each_time() {
    rounds(100..160);
}
