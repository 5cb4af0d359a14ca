//! RLIMIT_FSIZE, RLIMIT_AS and RLIMIT_NOFILE, and quotas, which there are none of.

use e2e::{Server, run, same_in_both};

const SCRIPT: &str = r#"
cat > $D/limits.py <<'END'
import os, resource, signal, subprocess, sys
D = os.environ['D']
signals = []
signal.signal(signal.SIGXFSZ, lambda *_: signals.append('SIGXFSZ'))
def tell(what, action):
    try:
        outcome = action()
    except OSError as error:
        outcome = error.strerror
    # A handler runs at the next call.
    what = str(what)
    print(what, outcome, *signals)
    signals.clear()
fd = os.open(D + '/f', os.O_RDWR | os.O_CREAT)
log = os.open(D + '/log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
tell('up to it', lambda: os.write(fd, b'x' * 2000))
tell('at it', lambda: os.write(fd, b'x'))
tell('below it', lambda: os.pwrite(fd, b'y' * 20, 990))
tell('vectors', lambda: os.pwritev(fd, [b'y' * 6, b'z' * 20], 990))
tell('nothing', lambda: os.write(fd, b''))
tell('append', lambda: (os.write(log, b'x' * 999), os.write(log, b'y' * 9)))
tell('append', lambda: os.write(log, b'y'))
tell('ftruncate', lambda: os.ftruncate(fd, 1001))
tell('ftruncate', lambda: os.ftruncate(fd, 1000))
tell('truncate', lambda: os.truncate(D + '/f', 1001))
tell('fallocate', lambda: os.posix_fallocate(fd, 0, 1001))
tell('pipe', lambda: os.write(os.pipe()[1], b'x' * 2000))
tell('child', lambda: subprocess.run(['sh', '-c', 'head -c 3000 /dev/zero > $D/child; echo $?']).returncode)
tell('size', lambda: os.stat(D + '/child').st_size)
pid = os.fork()
if pid == 0:
    os.lseek(fd, 0, 2)
    tell('fork', lambda: os.write(fd, b'x'))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
tell('more', lambda: os.pwrite(fd, b'z' * 2000, 500))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
tell('shorter than it is', lambda: os.ftruncate(fd, 1500))
tell('within', lambda: os.pwrite(fd, b'z' * 20, 0))
pid = os.fork()
if pid == 0:
    # Set by another process.
    while resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 500: pass
    tell('of another', lambda: os.pwrite(fd, b'z' * 20, 490))
    tell('of another', lambda: os.pwrite(fd, b'z' * 20, 500))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    tell('its own', lambda: os.pwrite(fd, b'z' * 20, 500))
    sys.stdout.flush()
    os._exit(0)
subprocess.run(['prlimit', '--fsize=500:', '--pid', str(pid)])
os.waitpid(pid, 0)
resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE, (hard, hard))
tell('no limit', lambda: os.pwrite(fd, b'z' * 2000, 2000))
END
python3 -u $D/limits.py
sh -c 'ulimit -f 2; head -c 3000 /dev/zero > $D/g; echo $?; exec head -c 3000 /dev/zero > $D/h' || echo $?
stat -c '%n %s' $D/f $D/g $D/h $D/log
"#;

#[test]
fn files_grow_up_to_the_limit() {
    let printed = same_in_both(SCRIPT);
    assert!(printed.contains("at it File too large SIGXFSZ"), "{printed}");
}

#[test]
fn there_are_no_quotas() {
    let server = Server::start();
    let script = "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
get = 0x80000700
for path in b'/rump/tmp', b'/rump/none':
    print(libc.quotactl(get - (1 << 32), path, 0, ctypes.create_string_buffer(200)), os.strerror(ctypes.get_errno()))
print(libc.syscall(443, os.open('/rump/tmp', 0), get, 0, 0), os.strerror(ctypes.get_errno()))";
    let said = run(server.hijacked("python3").args(["-c", script])).success();
    assert_eq!(said, "-1 Block device required\n-1 No such file or directory\n-1 No such process\n");
}

/// RLIMIT_AS: what the library needs leaves room for a program that limits itself, as vsftpd does.
#[test]
fn address_space_is_limited() {
    let printed = same_in_both(
        r#"python3 -c '
import os, resource, socket, threading
resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
open(os.environ["D"] + "/f", "w").write("x" * (1 << 20))
l = socket.create_server(("127.0.0.1", 0))
threads = [threading.Thread(target=lambda: l.accept()[0].send(b"hello")) for _ in range(4)]
[t.start() for t in threads]
print([socket.create_connection(l.getsockname()).recv(9) for t in threads])
[t.join() for t in threads]'"#,
    );
    assert!(printed.starts_with("[b'hello', b'hello'"), "{printed}");
}

/// RLIMIT_NOFILE: all numbers that it leaves are the program's, whether it had called the rump kernel before or not.
#[test]
fn numbers_of_descriptors_are_limited() {
    let printed = same_in_both(
        r#"cat > $D/numbers.py <<'END'
import errno, os, resource, socket, sys
def full(open_one):
    try:
        while True:
            open_one()
    except OSError as error:
        return error.strerror
early = sys.argv[1] == 'early' and [socket.socket(), open(os.environ['D'] + '/f', 'w')]
resource.setrlimit(resource.RLIMIT_NOFILE, (70, 70))
print(full(lambda: os.dup(0)))
os.close(69)
listener = socket.socket(socket.AF_INET)
print(listener.fileno(), full(lambda: os.dup(0)))
os.close(68)
listener.listen()
client = socket.socket(socket.AF_INET)
client.connect(listener.getsockname())
print(client.fileno(), full(listener.accept))
os.close(67)
peer, _ = listener.accept()
peer.send(b'hello')
print(peer.fileno(), client.recv(9))
os.close(66)
print(sorted(int(name) for name in os.listdir('/proc/self/fd') if int(name) < 70)[-9:])
END
python3 $D/numbers.py early < /dev/null; python3 $D/numbers.py late < /dev/null"#,
    );
    assert!(printed.starts_with("Too many open files\n69 "), "{printed}");
}
