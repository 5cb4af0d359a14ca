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

/// poll(2), select(2) and epoll(7) of descriptors of both kernels: urgent data, and sockets that have never been connected.
#[test]
fn beside_descriptors_of_the_host() {
    let script = r"
import os, select, socket, threading, time
P = select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP
r, w = os.pipe()
l = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(l.getsockname()); s, _ = l.accept()
names = {c.fileno(): 'c', s.fileno(): 's', l.fileno(): 'l', r: 'pipe'}
def poll(timeout=0, **fds):
    p = select.poll(); p.register(r, select.POLLIN)
    for fd, events in fds.items(): p.register(globals()[fd], events)
    return sorted((names.get(fd, fd), hex(events)) for fd, events in p.poll(timeout))
def sets(*args, timeout=0): return [sorted(names.get(x if isinstance(x, int) else x.fileno(), '?') for x in found) for found in select.select(*args, timeout)]
def later(what): t = threading.Thread(target=lambda: (time.sleep(0.1), what())); t.start(); return t
# Sockets that have never been connected.
f = socket.socket(); names[f.fileno()] = 'f'; u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); names[u.fileno()] = 'u'
print('fresh', poll(f=P), poll(f=0), poll(f=select.POLLIN, timeout=5000), poll(u=P), poll(l=P), poll(c=P))
print(sets([r, f, u], [], []), sets([r], [f], [f]), sets([r, f], [f], [f], timeout=5))
os.write(w, b'x'); print(poll(f=P), sets([r, f], [], [f])); os.read(r, 1)
print('refused', f.connect_ex(('127.0.0.1', 9)), poll(f=select.POLLIN)); f.close()
f = socket.socket(); names[f.fileno()] = 'f'; print(poll(f=P))
f.connect(l.getsockname()); print('connected', poll(f=P), sets([r, f], [f], [f])); g, _ = l.accept(); g.send(b'x')
print(poll(f=select.POLLIN, timeout=5000)); f.close(); g.close()
f = socket.socket(); names[f.fileno()] = 'f'; f.bind(('127.0.0.1', 0)); print('bound', poll(f=P)); f.listen(1); print('listens', poll(f=P), sets([r, f], [], [f])); f.close()
# Urgent data.
t = later(lambda: c.send(b'!', socket.MSG_OOB)); print('urgent', poll(s=select.POLLIN | select.POLLPRI, timeout=5000)); t.join()
print(poll(s=P), sets([r, s], [s], [s], timeout=5))
e = select.epoll(); e.register(r, select.EPOLLIN); e.register(s, select.EPOLLPRI)
t = select.epoll(); t.register(s, select.EPOLLPRI | select.EPOLLET); o = select.epoll(); o.register(s, select.EPOLLPRI | select.EPOLLONESHOT)
def wait(set, timeout=0): return [(names[fd], hex(events)) for fd, events in set.poll(timeout)]
print('epoll', wait(e, 5), wait(e), wait(t), wait(t), wait(o), wait(o))
print(s.recv(1, socket.MSG_OOB), poll(s=P), wait(e), wait(t), wait(o), sets([r, s], [], [s]))
t2 = later(lambda: c.send(b'ab!', socket.MSG_OOB)); print('again', wait(e, 5)); t2.join(); print(wait(t), wait(t), wait(o))
o.modify(s, select.EPOLLPRI | select.EPOLLONESHOT); print(wait(o), wait(o))
print(poll(s=P), s.recv(10), poll(s=P), s.recv(1, socket.MSG_OOB), poll(s=P), wait(e))
c.send(b'more'); print(poll(s=P, timeout=5000), s.recv(10), poll(s=P))
os.write(w, b'x'); t = later(lambda: c.send(b'?', socket.MSG_OOB)); print('both', poll(s=select.POLLPRI, timeout=5000)); os.read(r, 1); t.join()
t = later(lambda: os.write(w, b'y')); s.recv(1, socket.MSG_OOB); began = time.monotonic()
print(poll(s=select.POLLIN | select.POLLPRI, timeout=5000), sets([r, s], [], [s], timeout=5), time.monotonic() - began > 0.05); t.join()
print('time', poll(s=select.POLLPRI, timeout=50)) if os.read(r, 1) else None
began = time.monotonic(); print(sets([r], [], [s], timeout=0.2), 0.15 < time.monotonic() - began < 3)
";
    let expected = run(native("python3").args(["-c", script]));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let found = run(server.hijacked("python3").args(["-c", script]));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter("call.rump_watch") > 0, "nothing was mixed");
}

/// A group that F_SETOWN names gets SIGURG, each process of it; of the threads of a process the one that F_SETOWN_EX names.
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
ready = os.pipe(); os.set_inheritable(ready[1], True)
children = []
for group in (0, 1, None):
    pid = os.fork()
    if pid == 0:
        # One has nothing to do with the rump kernel; the last one is of another group.
        if group is None: os.setpgid(0, 0)
        if group != 1: socket.socket()
        else: os.execvp('python3', ['python3', '-S', '-E', '-c', f'import os, signal; os.write({ready[1]}, bytes(1)); os._exit(10 + bool(signal.sigtimedwait([signal.SIGURG], 10)))'])
        os.write(ready[1], b'r')
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
