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

/// A group that F_SETOWN names gets SIGURG, each process of it that has to do with the rump kernel; of the threads of a process the one
/// that F_SETOWN_EX names.
#[test]
fn groups_and_threads_are_told() {
    let script = r"
import fcntl, os, signal, socket, struct, threading
def pair():
    l = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(l.getsockname()); return c, l.accept()[0]
def waits(seconds=10):
    got = signal.sigtimedwait([signal.SIGURG], seconds)
    return got and got.si_signo == signal.SIGURG
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])
c, s = pair()
ready, done = os.pipe(), os.pipe()
children = []
for group in (0, 0, None):
    pid = os.fork()
    if pid == 0:
        # Each has to do with the rump kernel; the last one is of another group.
        if group is None: os.setpgid(0, 0)
        socket.socket(); os.write(ready[1], b'r')
        os._exit(10 + bool(waits(10 if group is not None else 0.5)))
    children.append(pid)
for _ in children: os.read(ready[0], 1)
fcntl.fcntl(s, fcntl.F_SETOWN, -os.getpgrp())
c.send(b'!', socket.MSG_OOB)
print(waits(), [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
c, s = pair()
F_SETOWN_EX, F_OWNER_TID = 15, 0
got, started = {}, threading.Barrier(3)
def thread(name):
    if name == 'named': fcntl.fcntl(s, F_SETOWN_EX, struct.pack('ii', F_OWNER_TID, threading.get_native_id()))
    started.wait(); got[name] = waits(10 if name == 'named' else 0.5)
threads = [threading.Thread(target=thread, args=(name,)) for name in ('named', 'other')]
for t in threads: t.start()
started.wait(); c.send(b'!', socket.MSG_OOB)
for t in threads: t.join()
print(sorted(got.items()), waits(0))
";
    let expected = run(native("setsid").args(["-w", "python3", "-c", script]));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let found = run(server.hijacked("setsid").args(["-w", "python3", "-c", script]));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
}
