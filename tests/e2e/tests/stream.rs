//! Ethernet over unix streams (`type=stream`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Server, artifact, native, ordinary_user, run};
use std::path::Path;

fn spec(socket: &Path, host: u8, more: &str) -> String {
    format!("name=eth0,type=stream,path={},addr=10.0.0.{host}/24{more}", socket.display())
}

/// Whoever is first, and whoever goes and comes back.
#[test]
fn a_lost_end_is_found_again() {
    ordinary_user();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("wire");
    let right = Server::start_with(&["-n", &spec(&socket, 2, "")]);
    assert!(right.rump(&["link"]).success().contains("no-carrier"));
    for _ in 0..2 {
        let mut left = Server::start_with(&["-n", &spec(&socket, 1, ",listen=yes")]);
        let mut found = Background::start(native("sleep").arg("60"), &directory.path().join("log"));
        found.wait_until(|| !right.rump(&["link"]).success().contains("no-carrier"));
        right.ping("10.0.0.1", 1);
        left.ping("10.0.0.2", 1);
        // Killed, it leaves its socket behind, which the next one replaces.
        left.kill();
        found.wait_until(|| right.rump(&["link"]).success().contains("no-carrier"));
    }
}

/// The other end is a program that speaks the form by itself: it answers ARP.
#[test]
fn the_form_is_length_and_frame_over_an_inherited_descriptor() {
    const ANSWER: &str = "
import socket, struct, subprocess, sys
ours, theirs = socket.socketpair()
fd = theirs.fileno()
server = subprocess.Popen([sys.argv[1], '-s', '-n', f'name=eth0,type=stream,fd={fd},addr=10.0.0.1/24', sys.argv[2]], pass_fds=[fd])
theirs.close()
try:
    stream = ours.makefile('rwb', 0)
    def read(n):
        data = b''
        while len(data) < n: data += stream.read(n - len(data)) or sys.exit('the stream has ended')
        return data
    own, mac = bytes([2, 0, 0, 0, 0, 9]), None
    ours.settimeout(20)
    # Who has 10.0.0.1?
    arp = struct.pack('!HHBBH', 1, 0x800, 6, 4, 1) + own + bytes([10, 0, 0, 9]) + bytes(6) + bytes([10, 0, 0, 1])
    frame = b'\\xff' * 6 + own + b'\\x08\\x06' + arp
    stream.write(struct.pack('!I', len(frame)) + frame)
    while True:
        frame = read(*struct.unpack('!I', read(4)))
        if frame[12:14] == b'\\x08\\x06' and frame[20:22] == b'\\x00\\x02': break
    assert frame[:6] == own and frame[28:32] == bytes([10, 0, 0, 1]), frame
    print('answered')
finally:
    server.kill()
";
    ordinary_user();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("unix://{}", directory.path().join("server").display());
    let ran = run(native("python3").args(["-c", ANSWER]).arg(artifact("rump_server")).arg(url));
    assert_eq!(ran.success(), "answered\n");
}

#[test]
fn what_can_never_be_a_stream_is_refused() {
    ordinary_user();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("unix://{}", directory.path().join("server").display());
    for (keys, part) in [
        ("path=/etc/passwd", "/etc/passwd"),
        ("path=/nonexistent/x,listen=yes", "/nonexistent/x"),
        ("fd=99", "fd 99"),
        ("fd=0", "fd 0"),
        ("fd=0,path=/x", "'fd='"),
        ("listen=yes", "'path='"),
    ] {
        let spec = format!("name=eth0,type=stream,{keys}");
        let refused =
            run(native(artifact("rump_server")).args(["-n", &spec, &url]).stdin(std::process::Stdio::null()));
        assert_eq!((refused.status, refused.stderr.lines().count()), (1, 1), "{keys}: {refused:?}");
        assert!(refused.stderr.contains(part), "{keys}: {refused:?}");
    }
}
