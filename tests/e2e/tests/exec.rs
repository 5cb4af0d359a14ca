//! execve(2) in all its forms, of files on either side.

use e2e::{Server, native, run};
use std::path::Path;
use std::process::Command;

/// Each line of output is what a child printed or the error of its exec, then how it ended. Argument: a directory.
const CORNERS: &str = r##"
import os, sys
D = sys.argv[1]
def child(what, run):
    print(what); sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try: run()
        except OSError as e: print("errno", e.errno); sys.stdout.flush()
        os._exit(99)
    print("->", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); sys.stdout.flush()
def put(name, text, mode=0o755):
    open(D + "/" + name, "w").write(text); os.chmod(D + "/" + name, mode)
put("script", "#!/bin/sh\necho script $0 $@\n")
put("nested0", "#!/bin/sh -e\necho nested $0 $@\n")
for i in range(1, 8): put(f"nested{i}", f"#!{D}/nested{i-1} argument{i}\n")
put("not-executable", "#!/bin/sh\n", 0o644)
put("garbage", "no magic\n"); put("empty", ""); put("elf", "\x7fELF"); put("line", "#!\n")
put("no-interpreter", "#!/nonexistent/x\n")
os.mkdir(D + "/dir"); os.mkfifo(D + "/fifo", 0o755); os.symlink("script", D + "/link")
for envp in ({}, {"A": "1"}, os.environ):
    child(f"environment of {len(envp) > 1}", lambda: os.execve(D + "/script", ["x", "y", "z"], envp))
for i in range(8): child(f"nested {i}", lambda: os.execv(D + f"/nested{i}", ["x", "y"]))
for name in "not-executable garbage empty elf line no-interpreter dir fifo missing script/x".split():
    child(name, lambda: os.execv(D + "/" + name, ["x"]))
fd = os.open(D + "/script", os.O_RDONLY); os.set_inheritable(fd, True)
child("fexecve", lambda: (os.dup2(fd, 177), os.execve(177, ["x", "by descriptor"], os.environ)))
os.set_inheritable(fd, False)
child("fexecve, closed on exec", lambda: os.execve(fd, ["x"], os.environ))
os.chdir(D)
child("relative", lambda: os.execv("script", ["x"]))
child("relative nested", lambda: os.execv("./nested2", ["x"]))
child("link", lambda: os.execv("link", ["x"]))
child("PATH", lambda: os.execvpe("script", ["script"], {"PATH": D}))
# An ELF file of the directory: itself, as an interpreter, and by descriptor.
os.system(f"cp /bin/dash {D}/shell; cp /bin/busybox {D}/busybox")
child("dynamic", lambda: os.execv(D + "/shell", ["name", "-c", "echo $0; exit 3"]))
child("static", lambda: os.execv(D + "/busybox", ["sh", "-c", "echo $0; exit 3"]))
put("by-dynamic", f"#!{D}/shell -e\necho by dynamic $0 $1; false; echo not reached\n")
put("by-static", f"#!{D}/busybox sh\necho by static $0 $1\n")
for name in ("by-dynamic", "by-static"): child(name, lambda: os.execv(D + "/" + name, ["x", "y"]))
# A script of the host's whose interpreter lies in the directory.
H = sys.argv[2]
for name in ("by-dynamic", "by-static", "nested2"):
    os.system(f"cp {D}/{name} {H}/{name}")
    child(f"host {name}", lambda: os.execv(f"{H}/{name}", ["x", "y"]))
open(H + "/by-static", "a").close(); os.chmod(H + "/by-static", 0o644)
child("host, not executable", lambda: os.execv(f"{H}/by-static", ["x", "y"]))
fd = os.open(D + "/shell", os.O_RDONLY)
child("fexecve of a program", lambda: os.execve(fd, ["name", "-c", "echo $0"], os.environ))
fd = os.open(D + "/busybox", os.O_RDONLY)
child("fexecve of a static one", lambda: os.execve(fd, ["sh", "-c", "echo $0"], os.environ))
child("name", lambda: os.execv(D + "/shell", ["x", "-c", "cat /proc/$$/comm"]))
# A program of the host's, with libraries of the directory.
os.system("echo 'int seven(void) { return 7; }' > l.c; cc -shared -fPIC -o libseven.so l.c")
os.system(f"echo 'int seven(void); int main(void) {{ return seven(); }}' > m.c; cc -o {H}/seven m.c -L. -lseven")
for variable, value, program in [("LD_LIBRARY_PATH", D, "seven"), ("LD_LIBRARY_PATH", "/usr/lib:.", "seven"), ("LD_PRELOAD", f"{D}/libseven.so", "/bin/true")]:
    child(f"libraries by {variable}", lambda: os.execve(os.path.join(H, program), ["x"], {**os.environ, variable: value}))
busy = os.open("/tmp", os.O_RDONLY)
child("kept", lambda: (os.dup2(busy, 50), os.execv("/bin/sh", ["sh", "-c", "test -e /proc/self/fd/50; echo $?; test -e /proc/self/fd/51; echo $?"])))
"##;

#[test]
fn corners() {
    let server = Server::start();
    let own = server.directory().join("own");
    let (directory, host) = (own.join("d"), own.join("h"));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::create_dir(&host).unwrap();
    let python = |mut command: Command, directory: &Path| {
        let ran = run(command.args(["-c", CORNERS]).arg(directory).arg(&host));
        (ran.status, ran.stderr, ran.stdout.replace(directory.to_str().unwrap(), "$D"))
    };
    let expected = python(native("python3"), &directory);
    std::fs::remove_dir_all(&host).unwrap();
    std::fs::create_dir(&host).unwrap();
    run(server.hijacked("mkdir").arg("/rump/d")).success();
    let found = python(server.hijacked("python3"), Path::new("/rump/d"));
    assert_eq!(found.2.lines().collect::<Vec<_>>(), expected.2.lines().collect::<Vec<_>>());
    assert_eq!((found.0, found.1), (expected.0, expected.1));
    assert_eq!(server.counter("files.open"), 0, "nothing that was opened for an exec is left");
}

/// What daemons, supervisors and shells do with processes. Argument: a directory.
const PROCESSES: &str = r##"
import ctypes, os, resource, shutil, signal, socket, subprocess, sys, time
D = sys.argv[1]
libc = ctypes.CDLL(None)
l = socket.create_server(("127.0.0.1", 0)); port = l.getsockname()[1]
def answer(): return socket.create_connection(("127.0.0.1", port)).makefile().read()
# A double fork by hand, and daemon(3).
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/"); null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3): os.dup2(null, fd)
        c, _ = l.accept(); c.sendall(b"double fork"); c.close()
    os._exit(0)
os.wait(); print(answer())
if os.fork() == 0:
    libc.daemon(0, 0); c, _ = l.accept(); open(D + "/daemon", "w").write(f"leads {os.getsid(0) != os.getppid()}")
    c.sendall(b"daemon(3) in " + os.getcwd().encode()); c.close(); os._exit(0)
os.wait(); print(answer(), open(D + "/daemon").read())
# PR_SET_PDEATHSIG holds over exec.
for program in ["sleep", "100"], ["busybox", "sleep", "100"], ["sh", "-c", "exec busybox sleep 100"]:
    r, w = os.pipe(); os.set_inheritable(w, True)
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0: libc.prctl(1, signal.SIGKILL); os.close(r); os.execvp(program[0], program)
        os.write(w, b"%d\n" % child); time.sleep(0.3); os._exit(0)
    os.close(w); child = int(os.read(r, 100)); os.waitpid(parent, 0)
    # The end of the pipe that the child holds is closed when it dies.
    print(program[0], os.read(r, 1)); os.close(r)
# Close-on-exec.
s = socket.create_connection(("127.0.0.1", port)); a, _ = l.accept()
for inheritable in True, False:
    os.dup2(s.fileno(), 9, inheritable)
    for shell in ["sh"], ["busybox", "sh"]:
        p = subprocess.run(shell + ["-c", "echo hi >&9"], close_fds=False, stderr=subprocess.DEVNULL)
        print(inheritable, shell[0], p.returncode)
        if inheritable: print(a.recv(10))
# Names, sizes, limits.
def output(*args, **how): return subprocess.run(*args, capture_output=True, **how).stdout
print(output(["named", "-c", "echo $0"], executable="/bin/sh"), output(["echo", "applet"], executable=shutil.which("busybox")))
few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
print(output(["busybox", "sh", "-c", "echo few | cat"], preexec_fn=few))
print(len(output(["busybox", "echo", "x" * 100000])), output(["busybox", "sh", "-c", "echo ${#BIG}"], env={**os.environ, "BIG": "y" * 100000}))
try: subprocess.run(["busybox", "echo", "x" * 200000])
except OSError as e: print("errno", e.errno)
# Stopped, continued and ended as a group.
p = subprocess.Popen(["busybox", "sleep", "50"], start_new_session=True); time.sleep(0.1); os.kill(p.pid, signal.SIGSTOP)
print(os.WIFSTOPPED(os.waitpid(p.pid, os.WUNTRACED)[1]))
os.killpg(p.pid, signal.SIGCONT); os.killpg(p.pid, signal.SIGTERM); print(p.wait())
"##;

#[test]
fn processes() {
    let server = Server::start();
    let python = |mut command: Command, directory: &Path| {
        run(command.args(["-c", PROCESSES]).arg(directory)).success()
    };
    let expected = python(native("python3"), server.directory());
    assert_eq!(python(server.hijacked("python3"), Path::new("/rump/tmp")), expected);
    assert!(expected.starts_with("double fork\ndaemon(3) in / leads True\n"), "{expected}");
    assert_eq!(server.counter("files.open"), 0);
}
