//! `MSG_PEEK` from `SO_PEEK_OFF` on.

use e2e::{Server, native, run};

/// The same of TCP and of unix streams. Before Linux 6.9 TCP did not have it.
#[test]
fn looking_goes_on_behind_what_was_seen() {
    let script = r"
import os, select, socket, sys, threading, time
OFF = 42
def tcp():
    l = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(l.getsockname()); return c, l.accept()[0]
def look(s, n, flags=socket.MSG_DONTWAIT):
    try: return s.recv(n, socket.MSG_PEEK | flags)
    except OSError as e: return e.strerror
for a, b in (tcp(), socket.socketpair()):
    print(b.getsockopt(socket.SOL_SOCKET, OFF)); a.sendall(b'abcdefghij'); select.select([b], [], [])
    print(look(b, 3), look(b, 3))
    b.setsockopt(socket.SOL_SOCKET, OFF, 0)
    print(look(b, 3), look(b, 3), b.getsockopt(socket.SOL_SOCKET, OFF))
    print(b.recv(4), b.getsockopt(socket.SOL_SOCKET, OFF), look(b, 2), look(b, 100), look(b, 100))
    threading.Timer(0.2, lambda: a.sendall(b'more')).start()
    print(look(b, 100, 0), b.recv(100), b.getsockopt(socket.SOL_SOCKET, OFF))
    b.setsockopt(socket.SOL_SOCKET, OFF, 1); a.sendall(b'xyz'); select.select([b], [], []); time.sleep(0.1); print(look(b, 9))
    a.close(); time.sleep(0.1); print(look(b, 9, 0), b.recv(9), b.recv(9))
    b.setsockopt(socket.SOL_SOCKET, OFF, -1); print(b.getsockopt(socket.SOL_SOCKET, OFF))
";
    let expected = run(native("python3").args(["-c", script]));
    if expected.status != 0 {
        assert!(expected.stderr.contains("not supported"), "natively: {expected:?}");
        return;
    }
    let server = Server::start();
    let mut hijacked = server.hijacked("python3");
    let found = run(hijacked.args(["-c", script]).env("RUMPHIJACK", "socket=all"));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter("call.recvfrom") > 10, "it did not go through the rump kernel");
}
