//! `AF_UNIX` sockets with names in the rump kernel's tree. Their paths carry the program's prefix, as other paths do.

use e2e::{Ran, Server, native, ordinary_user, run};
use std::process::Command;

/// Runs `script` natively on a directory of the host and hijacked on one under /rump; both must print the same.
#[track_caller]
fn same(script: &str) -> (Server, String) {
    ordinary_user();
    let host = tempfile::tempdir().expect("a temporary directory");
    let expected = python(&mut native("python3"), script, &host.path().to_string_lossy());
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let mut hijacked = server.hijacked("python3");
    let found = python(hijacked.env("RUMPHIJACK", "path=/rump,socket=all"), script, "/rump/tmp");
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    (server, found.stdout)
}

fn python(command: &mut Command, script: &str, dir: &str) -> Ran {
    let ran = run(command.args(["-c", script]).env("D", dir).current_dir("/"));
    let plain = |text: String| text.replace(dir, "$D");
    Ran { status: ran.status, stdout: plain(ran.stdout), stderr: plain(ran.stderr) }
}

#[test]
fn a_socketserver_behind_a_path() {
    let (server, _) = same(
        r"
import os, socket, socketserver, stat, threading
path = os.environ['D'] + '/served'
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line.upper())
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): pass
with Server(path, Echo) as server:
    threading.Thread(target=server.serve_forever).start()
    print(stat.S_ISSOCK(os.stat(path).st_mode), server.socket.getsockname())
    for n in range(20):
        c = socket.socket(socket.AF_UNIX); c.connect(path)
        c.sendall(b'line %d\n' % n); print(c.recv(100), c.getpeername(), repr(c.getsockname())); c.close()
    server.shutdown()
try: socket.socket(socket.AF_UNIX).connect(path)
except ConnectionRefusedError: print('refused')
try: socketserver.UnixStreamServer(path, Echo)
except OSError as e: print(e)
os.unlink(path)
try: socket.socket(socket.AF_UNIX).connect(path)
except FileNotFoundError: print('gone')
",
    );
    assert!(
        server.counter("call.accept4") > 0 && server.counter("call.bind") > 0,
        "it did not go through the rump kernel"
    );
}

#[test]
fn names_as_the_program_wrote_them() {
    same(
        r"
import os, socket
os.chdir(os.environ['D']); os.mkdir('sub')
a, b = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in 'ab')
a.bind('sub/a'); b.bind(os.environ['D'] + '//b')
for to in ('sub/a', './sub/a', os.environ['D'] + '/sub/../sub/a'): b.sendto(b'x', to); print(a.recvfrom(10))
os.chdir('sub'); b.connect('a'); print(b.getpeername(), sorted(os.listdir('..'))[:2])
b.send(b'y'); print(a.recvmsg(10))
os.unlink('a'); b.send(b'z'); print(a.recv(10))
os.unlink('../b'); os.chdir('..'); os.rmdir('sub')
",
    );
}

#[test]
fn between_a_program_and_its_child() {
    same(
        r"
import os, socket, subprocess, sys
path = os.environ['D'] + '/child'
l = socket.socket(socket.AF_UNIX); l.bind(path); l.listen()
code = 'import socket,sys; c=socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); c.send(c.getpeername().encode())'
child = subprocess.Popen([sys.executable, '-c', code, path])
c, _ = l.accept(); print(c.recv(100), child.wait()); os.unlink(path)
",
    );
}
