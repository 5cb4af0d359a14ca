//! Every kind of path with every call that takes one, from every kind of directory: the same answers as on the host's tmpfs.

use e2e::{Server, native, ordinary_user, run};
use std::os::unix::fs::PermissionsExt;

/// Prints one line for each combination: call, where it starts, path, what came of it.
const SCRIPT: &str = r"
import ctypes, errno, os, shutil, stat, struct
D = os.environ['D']
libc = ctypes.CDLL(None, use_errno=True)
def build():
    os.chdir(D)
    for name in os.listdir('.'):
        if stat.S_ISDIR(os.lstat(name).st_mode): os.chmod(name, 0o700)
        os.unlink(name) if not os.path.isdir(name) or os.path.islink(name) else shutil.rmtree(name)
    os.makedirs('d/e/empty'); os.mkdir('closed')
    for name in ('f', 'd/f', 'd/e/f', 'closed/f'): open(name, 'w').write(name)
    for target, name in (('f', 'l'), ('d', 'ld'), ('d/', 'lds'), ('none', 'dangling'), ('loop', 'loop'), ('../f', 'd/up'), ('e', 'd/le'),
                         ('l', 'll'), ('f/', 'lfs'), ('../..', 'd/e/upup'), ('/', 'root')): os.symlink(target, name)
    os.mkfifo('fifo'); os.chmod('closed', 0)
PATHS = ['', '.', '..', './', '../', 'f', './f', 'f/', 'f/.', 'f/..', 'f/x', 'd', 'd/', 'd//', 'd/.', 'd/..', 'd/../f', 'd//f', 'd/./f', 'l', 'l/',
         'll', 'ld', 'ld/', 'ld/f', 'ld/..', 'lds', 'lds/f', 'lfs', 'dangling', 'dangling/', 'loop', 'loop/x', 'none', 'none/', 'none/x',
         'd/up', 'd/le/f', 'd/e/upup', 'd/e/upup/f', 'd/e/empty', 'd/e/empty/', 'd/e/empty/.', 'fifo/', 'closed', 'closed/f', 'closed/', 'n' * 255,
         'n' * 256, 'd/' * 2100 + 'f', './' * 2040 + 'f', 'e', 'e/f', '../l', 'root/', 'up']
def kind(mode): return stat.filemode(mode)
def openat2(dir, path, resolve, flags=os.O_RDONLY):
    how = struct.pack('QQQ', flags | os.O_NONBLOCK, 0, resolve)
    fd = libc.syscall(437, dir, path.encode(), how, len(how))
    if fd < 0: raise OSError(ctypes.get_errno(), '')
    return fd
def opened(fd):
    try: return kind(os.fstat(fd).st_mode), os.fstat(fd).st_size if stat.S_ISREG(os.fstat(fd).st_mode) else ''
    finally: os.close(fd)
def faccess(dir, path, mode, flags):
    if libc.syscall(439, dir, path.encode(), mode, flags) < 0: raise OSError(ctypes.get_errno(), '')
def xattr(path):
    os.setxattr(path, 'user.a', b'1'); return os.listxattr(path, follow_symlinks=False)
READS = {
    'stat': lambda p, d: kind(os.stat(p, dir_fd=d).st_mode), 'lstat': lambda p, d: kind(os.lstat(p, dir_fd=d).st_mode),
    'readlink': lambda p, d: os.readlink(p, dir_fd=d), 'open': lambda p, d: opened(os.open(p, os.O_RDONLY | os.O_NONBLOCK, dir_fd=d)),
    'nofollow': lambda p, d: opened(os.open(p, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=d)),
    'directory': lambda p, d: opened(os.open(p, os.O_RDONLY | os.O_DIRECTORY, dir_fd=d)),
    'path': lambda p, d: opened(os.open(p, os.O_PATH | os.O_NOFOLLOW, dir_fd=d)),
    'write': lambda p, d: opened(os.open(p, os.O_WRONLY | os.O_NONBLOCK, dir_fd=d)),
    'access': lambda p, d: os.access(p, os.R_OK, dir_fd=d), 'empty_path': lambda p, d: faccess(-100 if d is None else d, p, 4, 0x1000),
}
for name, bits in dict(NO_XDEV=1, NO_MAGICLINKS=2, NO_SYMLINKS=4, BENEATH=8, IN_ROOT=16).items():
    READS[name] = lambda p, d, bits=bits: opened(openat2(-100 if d is None else d, p, bits))
WRITES = {
    'create': lambda p, d: opened(os.open(p, os.O_CREAT | os.O_WRONLY | os.O_NONBLOCK, dir_fd=d)),
    'exclusive': lambda p, d: opened(os.open(p, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=d)),
    'mkdir': lambda p, d: os.mkdir(p, dir_fd=d), 'rmdir': lambda p, d: os.rmdir(p, dir_fd=d), 'unlink': lambda p, d: os.unlink(p, dir_fd=d),
    'symlink': lambda p, d: os.symlink('t', p, dir_fd=d), 'mkfifo': lambda p, d: os.mkfifo(p, dir_fd=d),
    'link to': lambda p, d: os.link(D + '/f', p, dst_dir_fd=d), 'link from': lambda p, d: os.link(p, D + '/new', src_dir_fd=d, follow_symlinks=False),
    'link follow': lambda p, d: os.link(p, D + '/new', src_dir_fd=d, follow_symlinks=True),
    'rename to': lambda p, d: os.rename(D + '/f', p, dst_dir_fd=d), 'rename from': lambda p, d: os.rename(p, D + '/new', src_dir_fd=d),
    'rename dir to': lambda p, d: os.rename(D + '/d/e', p, dst_dir_fd=d), 'chmod': lambda p, d: os.chmod(p, 0o700, dir_fd=d),
    'utime': lambda p, d: os.utime(p, (1, 2), dir_fd=d, follow_symlinks=False), 'chown': lambda p, d: os.chown(p, -1, -1, dir_fd=d, follow_symlinks=False),
}
BY_CWD = {'truncate': lambda p, d: os.truncate(p, 3), 'xattr': lambda p, d: xattr(p), 'statfs': lambda p, d: os.statvfs(p).f_namemax,
          'chdir': lambda p, d: (os.chdir(p), os.getcwd().replace(D, '')) [1:], 'listdir': lambda p, d: sorted(os.listdir(p))}
ROOTED = ('root/', '..', '../', 'd/e/upup', 'f/..')
def one(name, call, place, path, dir):
    done = False
    try: result = call(path, dir); done = True
    except OSError as error: result = errno.errorcode[error.errno]
    shown = path if len(path) < 60 else path[:10] + '...%d' % len(path)
    # What lies above the tree is not the same in both kernels.
    if name not in ('listdir', 'chdir', 'statfs') or path not in ROOTED: print(name, place, repr(shown), result)
    return done
def places():
    yield 'cwd', D, None
    yield 'cwd d', D + '/d', None
    for place in ('d', 'f', 'closed'):
        yield 'at ' + place, '/', os.open(D + '/' + place, os.O_PATH)
    yield 'bad', '/', 99
build()
for place, cwd, dir in list(places()):
    for path in PATHS:
        for name, call in READS.items():
            os.chdir(cwd)
            if (name, path) != ('NO_XDEV', 'root/'): one(name, call, place, path, dir)
# Making the tree anew takes most of the time: only after a change.
changed = True
for name, call in {**WRITES, **BY_CWD}.items():
    for path in PATHS:
        for place in ('cwd', 'at d'):
            if place == 'at d' and name in BY_CWD or path in ('../l', 'root/', '..', '../', 'd/e/upup'): continue
            if changed: build()
            dir = os.open(D + '/d', os.O_PATH) if place == 'at d' else None
            os.chdir(D if dir is None else '/')
            changed = one(name, call, place, path, dir)
            os.chdir('/')
            if dir is not None: os.close(dir)
build(); os.mkdir('gone'); os.chdir('gone'); os.rmdir(D + '/gone')
for path in ('', '.', '..', 'x', './x', '../f'):
    for name, call in {**READS, **WRITES}.items():
        if name not in ('rename to', 'rename from', 'rename dir to', 'link from', 'link follow', 'unlink', 'chmod', 'rmdir'): one(name, call, 'gone', path, None)
try: print(os.getcwd())
except OSError as error: print('getcwd', error.strerror)
os.chdir(D); os.chmod('closed', 0o700)
";

#[test]
fn as_on_the_host() {
    ordinary_user();
    let host = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
    let tree = host.path().join("d");
    std::fs::create_dir(&tree).expect("a directory");
    let parent = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(host.path(), parent).expect("its owner's");
    let expected = run(native("python3").args(["-c", SCRIPT]).env("D", tree).current_dir("/"));
    assert_eq!((expected.status, expected.stderr.as_str()), (0, ""), "natively");
    let server = Server::start();
    assert_eq!(run(server.hijacked("mkdir").args(["-p", "/rump/tmp/t/d"])).status, 0);
    let mut hijacked = server.hijacked("python3");
    let found = run(hijacked.args(["-c", SCRIPT]).env("D", "/rump/tmp/t/d").current_dir("/"));
    assert_eq!(found.stderr, "");
    let (found_lines, expected_lines) = (found.stdout.lines(), expected.stdout.lines());
    let differ: Vec<_> =
        found_lines.zip(expected_lines).filter(|(found, expected)| found != expected).collect();
    assert!(differ.is_empty(), "hijacked (left) differs from native (right): {differ:#?}");
    assert_eq!(found.stdout.lines().count(), expected.stdout.lines().count());
    assert!(found.stdout.lines().count() > 5000, "{}", found.stdout.lines().count());
}
