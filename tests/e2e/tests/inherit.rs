//! Rump descriptors in other processes: inherited, redirected, passed, and kept over exec.

use e2e::{Server, native, run};

const SCRIPT: &str = r#"
import socket, subprocess, os, sys, array
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(("127.0.0.1", 0)); l.listen(); port = l.getsockname()[1]
def pair():
    c = socket.create_connection(("127.0.0.1", port)); a, _ = l.accept(); return c, a
# inetd style
c, a = pair()
p = subprocess.Popen(["tr", "a-z", "A-Z"], stdin=a, stdout=a); a.close()
c.sendall(b"hello\n"); c.shutdown(socket.SHUT_WR); print(c.makefile().read(), end=""); print("tr", p.wait())
# fork
c, a = pair()
pid = os.fork()
if pid == 0:
    a.sendall(b"from child " + a.recv(100)); os._exit(0)
c.sendall(b"x"); os.waitpid(pid, 0); a.close(); print(c.makefile().read())
# SCM_RIGHTS over a host socket to a child
c, a = pair()
u, v = socket.socketpair(socket.AF_UNIX)
pid = os.fork()
if pid == 0:
    a.close(); u.close()
    msg, anc, *_ = v.recvmsg(10, socket.CMSG_LEN(4))
    fd = array.array("i", anc[0][2])[0]
    s = socket.socket(fileno=fd); s.sendall(b"passed " + msg); os._exit(0)
socket.send_fds(u, [b"m"], [a.fileno()]); a.close()
print(c.makefile().read()); os.waitpid(pid, 0)
# exec keeps a descriptor
c, a = pair(); a.set_inheritable(True)
pid = os.fork()
if pid == 0:
    os.execvp("bash", ["bash", "-c", f"echo execed >&{a.fileno()}"])
a.close(); print(c.makefile().read(), end=""); os.waitpid(pid, 0)
# exec in the same process: session goes on
c, a = pair(); c.set_inheritable(True); a.set_inheritable(True); l.set_inheritable(True)
sys.stdout.flush()
os.execvp("python3", ["python3", "-c", f"""
import socket
c = socket.socket(fileno={c.fileno()}); a = socket.socket(fileno={a.fileno()}); l = socket.socket(fileno={l.fileno()})
c.sendall(b'after exec'); print(a.recv(100)); print(l.getsockname() == ('127.0.0.1', {port})); d = socket.create_connection(('127.0.0.1', {port})); print(l.accept()[0].getsockname()[0])
"""])
"#;

#[test]
fn sockets_in_other_processes() {
    let server = Server::start();
    let expected = run(native("python3").args(["-c", SCRIPT])).success();
    assert_eq!(run(server.hijacked("python3").args(["-c", SCRIPT])).success(), expected);
    assert!(server.counter("call.accept") + server.counter("call.accept4") >= 6);
    assert!(server.counter("call.rump_identify") > 0, "children ask whose descriptors they have");
    assert_eq!(server.counter("files.open"), 0, "the last close anywhere closes");
}
