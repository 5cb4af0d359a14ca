//! `/proc/self/fdinfo/N` of rump descriptors, and `/proc/self/fd/N` by names that begin in /proc.

use e2e::{Server, native, run};

/// Prints what does not depend on the file system that a file lies in.
const SCRIPT: &str = r"
import fcntl, os, socket
base = os.environ['D']
def info(fd, dir='/proc/self/fdinfo'):
    lines = dict(line.split(':\t') for line in open(f'{dir}/{fd}').read().splitlines())
    return lines['pos'], lines['flags'], int(lines['mnt_id']) > 0, int(lines['ino']) > 0
f = os.open(base + '/f', os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
os.write(f, b'0123456789'); os.lseek(f, 4, 0)
print(info(f)); os.set_inheritable(f, True); print(info(f), info(f, '/proc/thread-self/fdinfo'))
os.lseek(f, 7, 0); print(info(f, f'/proc/{os.getpid()}/task/{os.getpid()}/fdinfo')[0])
d = os.open(base, os.O_RDONLY | os.O_DIRECTORY); print(info(d)[1:3])
s = socket.socket(); s.setblocking(False); print(info(s.fileno())[:2])
print(os.stat(f'/proc/self/fdinfo/{f}').st_mode & 0o170444 == 0o100444)
try: os.readlink(f'/proc/self/fdinfo/{f}')
except OSError as e: print(e.errno)
g = os.dup(f); os.close(g)
try: print(info(g))
except OSError as e: print(e.errno)
for where, name in (('/proc/self/fd', f'{f}'), ('/proc/self', f'fd/{f}'), ('/proc', f'self/fd/{f}'), ('/proc', f'{os.getpid()}/fd/{f}')):
    os.chdir(where)
    print(os.readlink(name).removeprefix(base), os.stat(name).st_size, open(name).read(3))
    dir = os.open('.', os.O_RDONLY); os.chdir('/')
    print(os.readlink(name, dir_fd=dir).removeprefix(base), os.stat(name, dir_fd=dir).st_size)
os.mkdir(base + '/gone'); os.chdir(base + '/gone'); os.rmdir(base + '/gone')
print(os.readlink('/proc/self/cwd').removeprefix(base), os.stat('/proc/self/cwd').st_nlink)
os.mkdir(base + '/gone'); print(os.readlink('/proc/self/cwd').removeprefix(base))
try: os.getcwd()
except OSError as e: print(e.errno)
os.chdir(base + '/gone'); print(os.readlink('/proc/self/cwd').removeprefix(base)); os.chdir('/'); os.rmdir(base + '/gone')
os.chdir('/proc/self/fdinfo'); print(info(f, '.') == info(f), info(f, '/proc/self/task/%d/fdinfo' % os.getpid()) == info(f))
os.chdir('/proc/self'); print(open(f'fdinfo/{f}').read() == open(f'/proc/self/fdinfo/{f}').read())
";

#[test]
fn rump_descriptors_are_described() {
    let server = Server::start();
    let _ = run(server.hijacked("mkdir").arg("/rump/d")).success();
    let host = server.directory().join("d");
    std::fs::create_dir(&host).expect("a directory");
    let expected = run(native("python3").args(["-c", SCRIPT]).env("D", &host));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let found = run(server.hijacked("python3").args(["-c", SCRIPT]).env("D", "/rump/d"));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
}
