//! Segments written by hand (scapy) against a listener behind two routers: connection states (RFC 9293), blind attacks (RFC 5961), old
//! duplicates (RFC 7323) and closed windows, each answer compared with that of the host's kernel.

use e2e::Hops;

const FAR_END: &str = include_str!("py/far_end.py");
const SEGMENTS: &str = include_str!("py/segments.py");

/// What the peer finds out. As in any comparison the host's kernel is right where it can be had.
#[track_caller]
fn found(parts: &str) -> String {
    let quoted = |program: &str| format!("'{}'", program.replace('\'', "'\\''"));
    let script = format!(
        "until nc -z 10.0.2.9 80 2>/dev/null; do sleep 0.1; done; python3 -c {} {parts}",
        quoted(SEGMENTS)
    );
    let (found, expected) = Hops::both(&format!("python3 -c {}", quoted(FAR_END)), &script);
    if let Some(expected) = expected {
        assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    }
    found
}

#[test]
fn strangers() {
    let found = found("stranger");
    for line in [
        "RST at RCV.NXT: nothing dead",
        "RST in the window: A seq 0 ack 0 alive",
        "SYN: A seq 0 ack 0 alive",
        "ACK of what was not sent: A seq 0 ack 0 alive",
    ] {
        assert!(found.lines().any(|found| found == line), "{line}:\n{found}");
    }
}

#[test]
fn segments_that_open_nothing() {
    assert!(found("unopened").contains("listening, FPU: nothing\n"));
}

#[test]
fn stamps_windows_and_ends() {
    let found = found("paws windows ends");
    for line in [
        "an old stamp: A seq 0 ack 0",
        "a closed window: is probed True and goes on True",
        "TIME-WAIT, a new SYN: SA 1",
    ] {
        assert!(found.lines().any(|found| found == line), "{line}:\n{found}");
    }
}
