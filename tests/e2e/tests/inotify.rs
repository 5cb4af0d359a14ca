//! inotify(7) on files of the rump kernel: the same events as on the host's tmpfs.

use e2e::{Server, native, ordinary_user, run};

/// Watches, does everything that can be done to a file, and prints what was told.
const SCRIPT: &str = r"
import ctypes, os, select, struct, sys
D = os.environ['D']
libc = ctypes.CDLL(None, use_errno=True)
names = dict(ACCESS=1, MODIFY=2, ATTRIB=4, CLOSE_WRITE=8, CLOSE_NOWRITE=16, OPEN=32, MOVED_FROM=64, MOVED_TO=128, CREATE=256,
             DELETE=512, DELETE_SELF=1024, MOVE_SELF=2048, UNMOUNT=0x2000, Q_OVERFLOW=0x4000, IGNORED=0x8000, ISDIR=0x40000000)
ALL, ONESHOT, ONLYDIR, EXCL, ADD, CREATE = 0xfff, 0x80000000, 0x1000000, 0x4000000, 0x20000000, 0x10000000
def add(fd, path, mask=ALL):
    wd = libc.inotify_add_watch(fd, (D + path).encode(), mask)
    return wd if wd >= 0 else os.strerror(ctypes.get_errno())
cookies = {}
def events(fd):
    while select.select([fd], [], [], 0.05)[0]:
        data = os.read(fd, 4096); at = 0
        while at < len(data):
            wd, mask, cookie, length = struct.unpack_from('iIII', data, at)
            name = data[at + 16:at + 16 + length].rstrip(b'\0').decode(); at += 16 + length
            cookie = cookies.setdefault(cookie, len(cookies)) if cookie else '-'
            print(' ', wd, '|'.join(n for n, b in names.items() if mask & b), cookie, name, length)
def told(what, action):
    print(what); action(); events(fd)
def file(path, mode='wb', text='x'):
    with open(D + path, mode, buffering=0) as f:
        if mode != 'rb': f.write(text.encode())
        else: f.read()
fd = libc.inotify_init1(0o4000)
poller = select.epoll(); poller.register(fd, select.EPOLLIN)
os.mkdir(D + '/d'); os.mkdir(D + '/e')
print(add(fd, '/d'), add(fd, '/none'), add(fd, '/d', 0), add(fd, '/d', ALL | ADD | CREATE), add(fd, '/d', ALL | CREATE))
file('/d/f'); print('epoll', [e == select.EPOLLIN for _, e in poller.poll(1)])
told('create', lambda: None)
print(add(fd, '/d/f'), add(fd, '/d/f', ONLYDIR | ALL))
told('write', lambda: file('/d/f', 'ab', 'yy'))
told('read', lambda: file('/d/f', 'rb'))
told('chmod', lambda: os.chmod(D + '/d/f', 0o600))
told('utime', lambda: os.utime(D + '/d/f', (1, 2)))
told('truncate', lambda: os.truncate(D + '/d/f', 1))
told('xattr', lambda: os.setxattr(D + '/d/f', 'user.x', b'1'))
told('link', lambda: os.link(D + '/d/f', D + '/e/g'))
told('symlink', lambda: os.symlink('f', D + '/d/s'))
told('mkdir', lambda: os.mkdir(D + '/d/sub'))
told('list', lambda: os.listdir(D + '/d'))
told('rename', lambda: os.rename(D + '/d/f', D + '/d/h'))
told('rename over', lambda: (file('/d/o'), os.rename(D + '/d/o', D + '/d/h')) and None)
told('rename away', lambda: os.rename(D + '/d/sub', D + '/e/sub'))
told('rename back', lambda: os.rename(D + '/e/sub', D + '/d/sub'))
told('unlink last', lambda: os.unlink(D + '/e/g'))
told('rmdir', lambda: os.rmdir(D + '/d/sub'))
f = open(D + '/d/open', 'wb', buffering=0); print(add(fd, '/d/open'))
told('unlink open', lambda: os.unlink(D + '/d/open'))
told('write unlinked', lambda: f.write(b'1'))
told('close unlinked', lambda: f.close())
print(add(fd, '/e', 256 | ONESHOT))
told('once', lambda: (file('/e/1'), file('/e/2')) and None)
print(libc.inotify_rm_watch(fd, 1), libc.inotify_rm_watch(fd, 1)); events(fd)
told('nothing any more', lambda: file('/d/x'))
small = libc.inotify_init1(0); add(small, '/d'); file('/d/a-name')
try: os.read(small, 20)
except OSError as error: print(error.strerror)
print(len(os.read(small, 33)))
";

#[test]
fn as_on_the_host() {
    ordinary_user();
    let host = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
    let expected = run(native("python3").args(["-c", SCRIPT]).env("D", host.path()).current_dir("/"));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let server = Server::start();
    let mut hijacked = server.hijacked("python3");
    let found = run(hijacked.args(["-c", SCRIPT]).env("D", "/rump/tmp").current_dir("/"));
    assert_eq!(found.stderr, "");
    for (found, expected) in found.stdout.lines().zip(expected.stdout.lines()) {
        assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    }
    assert_eq!(found, expected);
    assert!(server.counter("call.inotify_add_watch") > 0, "nothing went through the rump kernel");
}

/// A descriptor watches files of one kernel.
#[test]
fn one_kernel_for_each_descriptor() {
    const MIXED: &str = r"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def add(fd, path):
    wd = libc.inotify_add_watch(fd, path, 256)
    return wd if wd >= 0 else os.strerror(ctypes.get_errno())
host, rump = libc.inotify_init1(0), libc.inotify_init1(0)
print(add(host, b'/'), add(rump, b'/rump'), add(host, b'/rump'), add(rump, b'/'), add(0, b'/rump'), add(99, b'/rump'))
";
    let server = Server::start();
    let found = run(server.hijacked("python3").args(["-c", MIXED])).success();
    assert_eq!(
        found,
        "1 1 No space left on device No space left on device Invalid argument Bad file descriptor\n"
    );
}
