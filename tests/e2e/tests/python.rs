//! python3 programs that bring both ends with them: each prints the same natively and hijacked.

use e2e::{Server, native, run};
use std::os::unix::fs::PermissionsExt;

#[track_caller]
fn same(script: &str, proof: &str) -> String {
    let expected = run(native("python3").args(["-c", script]));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let found = run(server.hijacked("python3").args(["-c", script]));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter(proof) > 0, "{proof} did not go through the rump kernel");
    found.stdout
}

#[test]
fn asyncio_echo() {
    same(
        r"
import asyncio
async def echo(r, w):
    while data := await r.read(65536):
        w.write(data); await w.drain()
    w.close()
async def one(port, n):
    r, w = await asyncio.open_connection('127.0.0.1', port)
    message = bytes([n % 256]) * (n * 1000 + 1)
    w.write(message); w.write_eof()
    back = await r.read(-1)
    w.close()
    return back == message
async def main():
    server = await asyncio.start_server(echo, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    print(all(await asyncio.gather(*(one(port, n) for n in range(100)))))
    server.close()
asyncio.run(main())
",
        "call.accept4",
    );
}

#[test]
fn threads_and_timeouts() {
    same(
        r"
import socket, threading, time, errno
l = socket.create_server(('127.0.0.1', 0))
def serve():
    for _ in range(20):
        c, _ = l.accept()
        threading.Thread(target=lambda c=c: (c.sendall(c.recv(100)[::-1]), c.close())).start()
t = threading.Thread(target=serve); t.start()
def ask(n, out):
    c = socket.create_connection(l.getsockname()); c.sendall(b'%03d' % n); out[n] = c.recv(100); c.close()
out = {}
ts = [threading.Thread(target=ask, args=(n, out)) for n in range(20)]
[x.start() for x in ts]; [x.join() for x in ts]; t.join()
print(sorted(out.items()))
c = socket.socket(); c.connect(l.getsockname()); c.settimeout(0.1)
try: c.recv(1)
except TimeoutError as e: print('timeout', e)
c.setblocking(False)
try: c.recv(1)
except BlockingIOError as e: print(errno.errorcode[e.errno])
free = socket.socket(); free.bind(('127.0.0.1', 0)); a = free.getsockname(); free.close()
try: socket.create_connection(a)
except ConnectionRefusedError as e: print(errno.errorcode[e.errno])
",
        "call.accept4",
    );
}

#[test]
fn udp_both_families() {
    same(
        r"
import socket
for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    a = socket.socket(family, socket.SOCK_DGRAM); a.bind((host, 0))
    b = socket.socket(family, socket.SOCK_DGRAM); b.connect(a.getsockname())
    b.send(b'x' * 1000); b.send(b''); b.send(b'end')
    print([len(a.recv(2000)) for _ in range(2)], a.recvfrom(1)[0], a.getsockname()[0])
    a.sendto(b'back', b.getsockname()); print(b.recv(10))
    a.close()
    try: b.send(b'1'); b.send(b'2'); print('sent')
    except ConnectionRefusedError: print('refused')
",
        "call.sendto",
    );
}

#[test]
fn poll_select_epoll_over_both_kernels() {
    same(
        r"
import os, select, socket, threading, time
l = socket.create_server(('127.0.0.1', 0))
c = socket.create_connection(l.getsockname()); s, _ = l.accept()
r, w = os.pipe()
def names(fds): return sorted({c.fileno(): 'socket', r: 'pipe'}[fd] for fd in fds)
p = select.poll(); p.register(c, select.POLLIN); p.register(r, select.POLLIN)
e = select.epoll(); e.register(c, select.EPOLLIN); e.register(r, select.EPOLLIN)
def look():
    time.sleep(0.05)
    print('select', names([x if isinstance(x, int) else x.fileno() for x in select.select([c, r], [], [], 0)[0]]),
          'poll', names([fd for fd, _ in p.poll(0)]), 'epoll', names([fd for fd, _ in e.poll(0)]))
look()
s.send(b'1'); look()
os.write(w, b'1'); look()
c.recv(1); look()
os.read(r, 1); look()
threading.Timer(0.1, lambda: s.send(b'2')).start()
print('woken', names([fd for fd, _ in e.poll(5)])); c.recv(1); look()
threading.Timer(0.1, lambda: s.send(b'3')).start()
print('woken', names([fd for fd, _ in p.poll(5000)])); c.recv(1)
et = select.epoll(); et.register(c, select.EPOLLIN | select.EPOLLET)
s.send(b'a'); time.sleep(0.05); print(len(et.poll(1)), len(et.poll(0)))
s.send(b'b'); time.sleep(0.05); print(len(et.poll(1)), c.recv(10))
s.close(); time.sleep(0.05)
print([ev & (select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP) for _, ev in e.poll(1)], c.recv(1))
c.setblocking(False)
",
        "call.rump_watch",
    );
}

#[test]
fn non_blocking_connect_and_full_buffers() {
    same(
        r"
import select, socket
l = socket.create_server(('127.0.0.1', 0))
c = socket.socket(); c.setblocking(False)
print(c.connect_ex(l.getsockname()) in (0, 115))
print(bool(select.select([], [c], [], 5)[1]), c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s, _ = l.accept()
total = 0
try:
    while True: total += c.send(b'x' * 65536)
except BlockingIOError: pass
print(total > 65536, select.select([], [c], [], 0)[1])
got = 0
while got < total: got += len(s.recv(1 << 20))
print(got == total, bool(select.select([], [c], [], 5)[1]))
",
        "call.connect",
    );
}

#[test]
fn subprocesses_inherit() {
    same(
        r"
import socket, subprocess, sys
a, b = socket.socket(), socket.create_server(('127.0.0.1', 0))
a.connect(b.getsockname()); s, _ = b.accept()
out = subprocess.run(['sh', '-c', 'echo from the child; cat'], input=b'piped', stdout=s.fileno() and subprocess.PIPE)
print(out)
subprocess.run(['echo', 'to the socket'], stdout=a); print(s.recv(100))
code = 'import socket,sys; x = socket.socket(fileno=int(sys.argv[1])); x.sendall(b\'inherited\'); print(x.family)'
print(subprocess.run([sys.executable, '-c', code, str(a.fileno())], pass_fds=[a.fileno()], capture_output=True).stdout, s.recv(100))
a.close(); print(s.recv(1))
",
        "call.accept4",
    );
}

/// A vfork child that changes its directory in the rump kernel, by a connection of its own, and closes all descriptors it knows of.
#[test]
fn subprocesses_in_other_directories() {
    let script = r#"
import os, subprocess, sys
os.makedirs(D + '/a/b', exist_ok=True)
for close in (True, False):
    for how in ({}, {'preexec_fn': lambda: None}, {'start_new_session': True}):
        out = subprocess.run(['sh', '-c', 'pwd; ls ..'], cwd=D + '/a/b', close_fds=close, capture_output=True, text=True, **how)
        print(out.returncode, out.stdout.replace(D, 'D'), out.stderr)
    subprocess.run(['touch', D + '/a/f%d' % close], umask=0o053, close_fds=close)
    print(oct(os.stat(D + '/a/f%d' % close).st_mode))
try: subprocess.run(['./absent'], cwd=D + '/a/b')
except OSError as error: print(error)
code = 'import os; os.closerange(3, 2000); print(os.listdir(".."))'
print(subprocess.run([sys.executable, '-c', code], cwd=D + '/a/b', capture_output=True).stdout)
"#;
    let host = tempfile::tempdir().expect("a temporary directory");
    std::fs::set_permissions(host.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    let with = |directory: &str| format!("D = '{directory}'\n{script}");
    let expected = run(native("python3").args(["-c", &with(host.path().to_str().expect("UTF-8"))]));
    assert_eq!((expected.status, expected.stderr.as_str()), (0, ""));
    let server = Server::start();
    let found = run(server.hijacked("python3").args(["-c", &with("/rump/d")]));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter("call.mkdir") > 0, "nothing went through the rump kernel");
}

#[test]
fn multiprocessing_and_executors() {
    same(
        r"
import multiprocessing as mp, concurrent.futures as cf, multiprocessing.managers, os, socket, threading
from multiprocessing.connection import Client, Listener
def ask(n):
    with socket.create_connection(address) as s:
        s.sendall(b'%d\n' % n); return int(s.makefile().readline())
def answer(c):
    with c: c.sendall(b'%d\n' % int(c.makefile().readline()) ** 2)
def serve():
    while True: threading.Thread(target=answer, args=listener.accept()[:1]).start()
def child(conn, queue, lock, value):
    with lock: value.value += 1
    conn.send('here'); queue.put(conn.recv())
listener = socket.create_server(('127.0.0.1', 0), backlog=64); address = listener.getsockname()
threading.Thread(target=serve, daemon=True).start()
with cf.ProcessPoolExecutor(3) as pool: print(sum(pool.map(ask, range(30))))
with cf.ThreadPoolExecutor(8) as pool: print(sum(pool.map(ask, range(30))))
with mp.Pool(2) as pool: print(pool.map(ask, range(5)))
ours, theirs = mp.Pipe(); queue = mp.Queue(); lock = mp.Lock(); value = mp.Value('i')
p = mp.Process(target=child, args=(theirs, queue, lock, value)); p.start()
print(ours.recv()); ours.send({'x': 1}); print(queue.get()); p.join(); print(value.value)
# A socket that is pickled, and sent to a new program by SCM_RIGHTS.
with socket.create_connection(address) as s:
    p = mp.get_context('spawn').Process(target=socket.socket.sendall, args=(s, b'12\n'))
    p.start(); p.join(); print(p.exitcode, s.makefile().readline())
with Listener(('127.0.0.1', 0), authkey=b'key') as l:
    def client():
        with Client(l.address, authkey=b'key') as c: c.send([1, 'two', 3.0])
    t = threading.Thread(target=client); t.start()
    with l.accept() as c: print(c.recv())
    t.join()
manager = mp.managers.SyncManager(('127.0.0.1', 0)); manager.start()
shared = manager.dict(); shared['key'] = 5; print(shared.copy()); manager.shutdown()
",
        "call.accept4",
    );
}

/// A blocking connect(2) whose SYN comes back to it (RFC 9293, section 3.5, simultaneous open).
#[test]
fn a_socket_connects_to_itself() {
    let printed = same(
        r"
import socket
s = socket.socket()
s.bind(('127.1.0.1', 0))
s.connect(s.getsockname())
s.sendall(b'hello'); print(s.recv(9), s.getpeername() == s.getsockname())
s.shutdown(socket.SHUT_WR); print(s.recv(9))
",
        "call.connect",
    );
    assert_eq!(printed, "b'hello' True\nb''\n");
}

/// A group is joined on the interface that has an address, and reached through that of the sender's: 127.0.0.0/8 is all on lo.
#[test]
fn groups_by_addresses_of_interfaces() {
    let printed = same(
        r"
import socket, sys
r = socket.socket(type=socket.SOCK_DGRAM); r.settimeout(10); r.bind(('0.0.0.0', 0))
join = socket.inet_aton('224.255.255.254') + socket.inet_aton('127.1.0.1')
r.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, join)
s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.1.0.1', 0))
s.sendto(b'hello', ('224.255.255.254', r.getsockname()[1]))
data, source = r.recvfrom(9); print(data, source == s.getsockname())
r.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, join)
try: r.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, join[:4] + socket.inet_aton('192.0.2.1'))
except OSError as error: print(error)
",
        "call.sendto",
    );
    assert!(printed.starts_with("b'hello' True\n"), "{printed}");
}
