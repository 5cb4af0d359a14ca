//! `UDP_SEGMENT` and `UDP_GRO` (udp(7)): many datagrams in one call.

use e2e::{Segments, Server, native, run};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/py/udp_segments.py");

#[test]
fn on_lo() {
    let expected = run(native("python3").arg(PROGRAM));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let found = run(server.hijacked("python3").arg(PROGRAM));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter("call.sendmsg") > 50, "it did not go through the rump kernel");
}

/// Between guests of a bus they cross as one; a line with faults takes frames as on a wire, so what comes is single datagrams.
#[test]
fn between_guests() {
    let receiver = r"
import select, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.0.0.1', 53)); s.setsockopt(17, 104, 1)
peer = None
while peer is None or select.select([s], [], [], 0)[0]:
    select.select([s], [], [], 20)
    data, control, _, peer = s.recvmsg(70000, 64)
    print(len(data), [int.from_bytes(d, 'little') for _, _, d in control])
";
    let sender = r"
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(s.sendmsg([b'x' * 20500], [(17, 103, (1000).to_bytes(2, 'little'))], 0, ('10.0.0.1', 53)))
";
    for (faults, expected) in
        [("", "20500 [1000]\n".to_owned()), (",delay=1ms", "1000 []\n".repeat(20) + "500 []\n")]
    {
        let segments = Segments::new();
        let (left, right) = (segments.host(1, ""), segments.host(2, faults));
        right.ping("10.0.0.1", 1);
        let mut python = left.hijacked("python3");
        let waiting = std::thread::spawn(move || run(python.args(["-c", receiver])).success());
        while !left.rump(&["sockstat"]).success().contains(":53") {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(run(right.hijacked("python3").args(["-c", sender])).success(), "20500\n");
        assert_eq!(waiting.join().ok(), Some(expected), "{faults}");
    }
}
