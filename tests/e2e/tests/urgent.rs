//! Urgent data of TCP: SIGURG, `MSG_OOB`, and select(2)'s third set.

use e2e::{Server, native, run};

#[test]
fn urgent_data_is_told_and_read_on_its_own() {
    let script = r"
import fcntl, os, select, signal, socket, struct, time
l = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(l.getsockname()); s, _ = l.accept()
got = []
signal.signal(signal.SIGURG, lambda *_: got.append('SIGURG'))
fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
def sets(*args): return [[{c: 'c', s: 's'}[x] for x in found] for found in select.select(*args)]
def at_mark(): return struct.unpack('i', fcntl.ioctl(s, 0x8905, bytes(4)))
print(sets([s], [c], [s, c], 5))
c.send(b'ab'); c.send(b'cd!', socket.MSG_OOB); c.send(b'ef')
print(sets([], [], [c, s], 5)); time.sleep(0.1)
print(got, sets([s, c], [], [s, c], 5), s.recv(1, socket.MSG_OOB), s.recv(10), at_mark(), s.recv(10), at_mark())
began = time.monotonic(); print(sets([s], [], [s], 0.2), 0.15 < time.monotonic() - began < 2)
p = select.poll(); p.register(s, select.POLLPRI)
print(p.poll(0)); c.send(b'!', socket.MSG_OOB); print([ev for _, ev in p.poll(5000)])
s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1); print(s.recv(10))
try: s.recv(1, socket.MSG_OOB)
except OSError as e: print(e)
";
    let expected = run(native("python3").args(["-c", script]));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let found = run(server.hijacked("python3").args(["-c", script]));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter("call.ppoll") > 0, "select(2) did not go through the rump kernel");
}
