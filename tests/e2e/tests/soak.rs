//! Processes come and go, killed while they wait or send: nothing of them stays in the server.

use e2e::{Server, artifact, c_program, native, run};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a server has.
#[derive(Debug)]
struct Has {
    descriptors: usize,
    processes: usize,
    memory_kib: u64,
}

fn has(server: &Server) -> Has {
    let files = format!("/proc/{}/fd", server.id());
    let status = run(native("cat").arg(format!("/proc/{}/status", server.id()))).success();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let mut processes = native(artifact("rump"));
    processes.arg("ps").env("RUMP_SERVER", server.url());
    Has {
        descriptors: run(native("ls").arg(files)).success().lines().count(),
        processes: run(&mut processes).success().lines().count(),
        memory_kib: resident.trim().trim_end_matches(" kB").parse().expect("kB"),
    }
}

/// Runs so many processes. Their files are gone at once, with `patience` they themselves are within that time.
fn soak(rounds: u32, patience: Option<Duration>) {
    const ROUND: u32 = 100;
    let server = Server::start();
    let program = c_program("h_soak", server.directory());
    let round = || {
        run(server.hijacked(&program).arg(ROUND.to_string())).success();
        run(server.hijacked("sh").args(["-c", "rm -f /rump/soak.*"])).success();
    };
    // Tables and heap grow to their working size.
    round();
    let before = has(&server);
    for at in 0..rounds {
        round();
        if at % 10 == 9 {
            println!("{} processes: {:?}", (at + 1) * ROUND, has(&server));
        }
    }
    let end = Instant::now() + patience.unwrap_or(Duration::from_secs(10));
    let mut after = has(&server);
    let remains = |after: &Has| {
        after.descriptors > before.descriptors || patience.is_some() && after.processes > before.processes
    };
    while remains(&after) {
        assert!(Instant::now() < end, "before: {before:?}, after: {after:?}");
        sleep(Duration::from_millis(100));
        after = has(&server);
    }
    println!("{} processes; before: {before:?}, after: {after:?}", ROUND * rounds);
    assert!(after.memory_kib < before.memory_kib * 3 / 2 + 4096, "before: {before:?}, after: {after:?}");
    assert!(server.counter("call.flock") > u64::from(ROUND * rounds) / 2);
}

#[test]
fn short_lived_processes() {
    soak(2, None);
}

/// A process that was announced by a fork and killed before it could connect is kept for a minute after its parent's end.
#[test]
#[ignore = "minutes long: see CONTRIBUTING.md"]
fn ten_thousand_short_lived_processes() {
    soak(100, Some(Duration::from_secs(75)));
}
