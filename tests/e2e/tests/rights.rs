//! Descriptors and credentials that go through `AF_UNIX` sockets (`SCM_RIGHTS`, `SCM_CREDENTIALS`).

use e2e::{Background, Ran, Server, native, ordinary_user, run};
use std::process::Command;

/// Runs `script` natively on a directory of the host and hijacked, with rump `AF_UNIX` sockets, on one under /rump; both must
/// print the same.
#[track_caller]
fn same(script: &str, proof: &str) {
    ordinary_user();
    let host = tempfile::tempdir().expect("a temporary directory");
    let expected = python(&mut native("python3"), script, &host.path().to_string_lossy());
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let mut hijacked = server.hijacked("python3");
    let found = python(hijacked.env("RUMPHIJACK", "path=/rump,socket=all"), script, "/rump/tmp");
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter(proof) > 0, "{proof} did not go through the rump kernel");
}

fn python(command: &mut Command, script: &str, dir: &str) -> Ran {
    run(command.args(["-c", script]).env("D", dir).env("SCRIPT", script).current_dir("/"))
}

#[test]
fn both_ways_between_two_processes() {
    same(
        r"
import array, os, socket, subprocess, sys, struct
D = os.environ['D']
if len(sys.argv) > 1:
    c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
    m, fds, flags, _ = socket.recv_fds(c, 100, 10)
    print('child got', m, len(fds), flags, flush=True)
    s = socket.socket(fileno=fds[0]); print(s.family.name, s.recv(100), flush=True)
    os.write(fds[1], b'into the pipe'); os.close(fds[1]); print(os.pread(fds[2], 100, 0), os.pread(fds[3], 100, 0), flush=True)
    s.sendall(b'answered')
    back = socket.create_server(('127.0.0.1', 0)); r, w = os.pipe(); os.write(w, b'child pipe')
    socket.send_fds(c, [b'back'], [back.fileno(), r])
    p = socket.create_connection(back.getsockname()); p.sendall(b'to my own listener')
    print(c.recv(10), flush=True)
    sys.exit()
path = D + '/rights'
l = socket.socket(socket.AF_UNIX); l.bind(path); l.listen()
t = socket.create_server(('127.0.0.1', 0)); a = socket.create_connection(t.getsockname()); b, _ = t.accept()
r, w = os.pipe()
f = os.open(D + '/file', os.O_RDWR | os.O_CREAT); os.write(f, b'in the tree')
host = os.memfd_create('host'); os.write(host, b'on the host')
child = subprocess.Popen([sys.executable, '-c', os.environ['SCRIPT'], path], stdout=subprocess.PIPE)
c, _ = l.accept()
socket.send_fds(c, [b'four'], [b.fileno(), w, host, f]); os.close(w); os.close(f); b.close()
a.sendall(b'through'); print(a.recv(100), os.read(r, 100), os.read(r, 1))
m, fds, flags, _ = socket.recv_fds(c, 100, 10); print(m, len(fds), flags)
s = socket.socket(fileno=fds[0]); n, _ = s.accept(); print(n.recv(100), os.read(fds[1], 100))
c.send(b'done'); print(child.communicate()[0].decode(), child.returncode)
",
        "call.sendmsg",
    );
}

#[test]
fn credentials_looks_and_cuts() {
    same(
        r"
import array, os, socket, struct
x, y = socket.socketpair()
y.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
x.sendmsg([b'cred'], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack('iII', os.getpid(), os.getuid(), os.getgid()))])
m, anc, fl, _ = y.recvmsg(100, 200); print(m, [(k, struct.unpack('iII', d) == (os.getpid(), os.getuid(), os.getgid())) for _, k, d in anc], fl)
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    x, y = socket.socketpair(socket.AF_UNIX, kind)
    r, w = os.pipe()
    socket.send_fds(x, [b'look'], [w, x.fileno()])
    for flags in (socket.MSG_PEEK, socket.MSG_PEEK, 0):
        m, anc, fl, _ = y.recvmsg(100, 100, flags); fds = array.array('i', b''.join(d for _, _, d in anc)); print(m, len(fds), fl); [os.close(fd) for fd in fds]
    os.close(w); print(os.read(r, 1))
    # the truncation of a list of descriptors
    socket.send_fds(x, [b'cut'], [r, r, r])
    m, anc, fl, _ = y.recvmsg(100, socket.CMSG_LEN(8)); print(m, [(k, len(d)) for _, k, d in anc], fl)
",
        "call.recvmsg",
    );
}

/// Sends a rump socket, or what `what` makes instead, to whoever listens at `path`.
const SENDER: &str = r"
import errno, os, socket, sys
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
r, w = os.pipe(); s = socket.socket()
for fds in ([r], [w, s.fileno()]):
    try: print(socket.send_fds(c, [b'x'], fds))
    except OSError as e: print(errno.errorcode[e.errno])
    c.settimeout(10)
    print(c.recv(10))
    if fds != [r]: break
";

/// Answers each message with the kinds of descriptors in it; a rump socket must listen.
const RECEIVER: &str = r"
import os, socket, sys
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen(); print('ready', flush=True)
while True:
    c, _ = l.accept(); c.settimeout(1)
    try:
        while True:
            m, fds, _, _ = socket.recv_fds(c, 10, 10)
            if not m: break
            if len(fds) == 2: s = socket.socket(fileno=fds[1]); s.bind(('127.0.0.1', 0)); s.listen()
            c.send(b'%d' % len(fds))
    except TimeoutError: c.send(b'nothing')
";

/// What a hijacked program sees that sends to `receiver` over a host socket.
fn sends_to(server: &Server, mut receiver: Command) -> String {
    let path = server.directory().join("receiver");
    let mut beside =
        Background::start(receiver.args(["-c", RECEIVER]).arg(&path), &server.directory().join("log"));
    let log = server.directory().join("log");
    beside.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready")));
    run(server.hijacked("python3").args(["-c", SENDER]).arg(&path)).success()
}

#[test]
fn a_rump_descriptor_reaches_a_process_of_the_same_kernel() {
    let server = Server::start();
    let receiver = server.hijacked("python3");
    assert_eq!(sends_to(&server, receiver), "1\nb'1'\n1\nb'2'\n");
    assert!(server.counter("call.listen") > 0, "the receiver's is the rump kernel's too");
}

#[test]
fn it_does_not_leave_its_kernel() {
    let server = Server::start();
    assert_eq!(sends_to(&server, native("python3")), "1\nb'1'\nENOTSUP\nb'nothing'\n");
    let (server, other) = (Server::start(), Server::start());
    assert_eq!(sends_to(&server, other.hijacked("python3")), "1\nb'1'\nENOTSUP\nb'nothing'\n");
}
