"""Calls on files of a small directory, by a generator of random numbers: `random_calls.py DIRECTORY SEED COUNT UID`.

Prints what each answers. The same seed makes the same calls, wherever the directory is; what differs from one file system to the
next, or from one run to the next, is not printed.
"""
import ctypes, errno, fcntl, os, random, stat, sys, struct
base, seed, count, uid = sys.argv[1], *map(int, sys.argv[2:5])
libc = ctypes.CDLL(None, use_errno=True)
rnd = random.Random(seed)
if uid != os.getuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
top = os.path.join(base, f'{seed}-{uid}')
os.mkdir(top)
os.chdir(top)
os.umask(0o022)
names = ['a', 'b', 'c', 'd', 'd/x', 'd/y', 'e', 'e/z', 'd/e', 'l', 'a/', 'd/', 'd/../a', './b', 'l/x', 'd/.', 'd/..', 'q/w', 'e/z/..', 'n' * 255, 'n' * 256, '', 'd//x', 'l/', 'l/../b', 'd/./y']
weights = [8, 8, 6, 8, 6, 5, 6, 5, 4, 6, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
def name(): return rnd.choices(names, weights)[0]
fds = []
def fd():
    return rnd.choice(fds) if fds and rnd.random() < .95 else rnd.choice([-1, 99])
def show(st):
    return (oct(st.st_mode), st.st_nlink if not stat.S_ISDIR(st.st_mode) else '-', st.st_size if not stat.S_ISDIR(st.st_mode) else '-', st.st_uid == os.getuid())
def ren(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags) < 0: raise OSError(ctypes.get_errno(), '')
def mk(a, mode):
    if libc.mknod(a.encode(), mode, 0) < 0: raise OSError(ctypes.get_errno(), '')
def op_open():
    fl = rnd.choice([os.O_RDONLY, os.O_WRONLY, os.O_RDWR, 3]) | rnd.choice([0, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_TRUNC, os.O_CREAT | os.O_TRUNC]) | rnd.choice([0, 0, 0, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW, os.O_PATH, os.O_NONBLOCK, os.O_DIRECTORY | os.O_CREAT, os.O_PATH | os.O_NOFOLLOW, os.O_SYNC, os.O_NOATIME, os.O_TMPFILE])
    p = name(); d = f'open {p[:9]} {fl:o}'
    def f():
        n = os.open(p, fl | os.O_NONBLOCK, rnd2.choice([0o644, 0o600, 0o444, 0, 0o7777, 0o200]))
        if len(fds) >= 12: os.close(fds.pop(0))
        fds.append(n)
        return fcntl.fcntl(n, fcntl.F_GETFL) & ~0o100000, show(os.fstat(n))
    return d, f
def op_close():
    def f():
        n = fd()
        os.close(n)
        if n in fds: fds.remove(n)
    return 'close', f
def op_read():
    n, k = fd(), rnd.choice([0, 1, 10, 5000, 70000])
    return f'read {k}', lambda: hash_(os.read(n, k))
def op_write():
    n, k = fd(), rnd.choice([0, 1, 10, 5000, 70000])
    return f'write {k}', lambda: os.write(n, bytes([k % 251]) * k)
def op_pread():
    n, k, o = fd(), rnd.choice([1, 5000]), rnd.choice([0, 3, 4096, 100000, -1])
    return f'pread {k} {o}', lambda: hash_(os.pread(n, k, o))
def op_pwrite():
    n, k, o = fd(), rnd.choice([0, 1, 5000]), rnd.choice([0, 3, 4096, 100000, -1])
    return f'pwrite {k} {o}', lambda: os.pwrite(n, b'p' * k, o)
def op_lseek():
    n, o, w = fd(), rnd.choice([0, 5, -3, 4096, 1 << 40, -1 << 40]), rnd.choice([0, 1, 2, 3, 4, 7])
    return f'lseek {o} {w}', lambda: os.lseek(n, o, w)
def op_ftruncate():
    n, k = fd(), rnd.choice([0, 1, 4096, 100001, -1])
    return f'ftruncate {k}', lambda: os.ftruncate(n, k)
def op_truncate():
    p, k = name(), rnd.choice([0, 1, 4096, 100001, -1])
    return f'truncate {p[:9]} {k}', lambda: os.truncate(p, k)
def op_stat():
    p, follow = name(), rnd.random() < .5
    return f'stat {p[:9]} {follow}', lambda: show(os.stat(p, follow_symlinks=follow))
def op_fstat():
    n = fd()
    return 'fstat', lambda: show(os.fstat(n))
def op_mkdir():
    p, m = name(), rnd.choice([0o755, 0o700, 0o777, 0o1777, 0o2755, 0o500])
    return f'mkdir {p[:9]} {m:o}', lambda: os.mkdir(p, m)
def op_rmdir():
    p = name(); return f'rmdir {p[:9]}', lambda: os.rmdir(p)
def op_unlink():
    p = name(); return f'unlink {p[:9]}', lambda: os.unlink(p)
def op_rename():
    a, b, fl = name(), name(), rnd.choice([0, 0, 0, 1, 2, 3, 8])
    return f'rename {a[:9]} {b[:9]} {fl}', lambda: ren(a, b, fl)
def op_link():
    a, b, fo = name(), name(), rnd.random() < .5
    return f'link {a[:9]} {b[:9]} {fo}', lambda: os.link(a, b, follow_symlinks=fo)
def op_symlink():
    a, b = rnd.choice(names + ['l', 'd/../x', '/nonexistent']), name()
    return f'symlink {a[:9]} {b[:9]}', lambda: os.symlink(a, b)
def op_readlink():
    p = name(); return f'readlink {p[:9]}', lambda: os.readlink(p)[:20]
def op_chmod():
    p, m = name(), rnd.choice([0o644, 0o600, 0, 0o777, 0o7777, 0o2644, 0o4755, 0o100])
    return f'chmod {p[:9]} {m:o}', lambda: os.chmod(p, m)
def op_fchmod():
    n, m = fd(), rnd.choice([0o644, 0, 0o7777])
    return f'fchmod {m:o}', lambda: os.fchmod(n, m)
def op_chown():
    p, u, g = name(), rnd.choice([-1, os.getuid(), 12345]), rnd.choice([-1, os.getgid()])
    return f'chown {p[:9]} {u == 12345} {g == -1}', lambda: os.chown(p, u, g, follow_symlinks=rnd2.random() < .5)
def op_access():
    p, m, e = name(), rnd.randrange(8), rnd.random() < .5
    return f'access {p[:9]} {m} {e}', lambda: os.access(p, m, effective_ids=e)
def op_list():
    p = name(); return f'list {p[:9]}', lambda: sorted(x[:9] for x in os.listdir(p))
def op_utime():
    p, t = name(), rnd.choice([(0, 0), (5, 7), (10**18, 10**18 + 1), None])
    def f():
        if t is None: os.utime(p)
        else: os.utime(p, ns=t, follow_symlinks=rnd2.random() < .5)
        s = os.stat(p, follow_symlinks=False)
        return t and t[0] == s.st_atime_ns
    return f'utime {p[:9]} {t}', f
def op_dup():
    n = fd()
    def f():
        m = os.dup(n)
        if len(fds) >= 12: os.close(fds.pop(0))
        fds.append(m)
    return 'dup', f
def op_fallocate():
    n, m, o, k = fd(), rnd.choice([0, 1, 3, 2, 0x40 | 1, 0x81]), rnd.choice([0, 5, 4096, 8192]), rnd.choice([1, 4096, 10000])
    def f():
        if libc.fallocate(n, m, ctypes.c_long(o), ctypes.c_long(k)) < 0: raise OSError(ctypes.get_errno(), '')
        return os.fstat(n).st_size
    return f'fallocate {m} {o} {k} {de(n)}', f
def op_xattr():
    p, k, fl = name(), rnd.choice(['user.a', 'user.b', 'trusted.x', 'bad', 'user.', 'security.q']), rnd.choice([0, 1, 2])
    return f'setxattr {p[:9]} {k} {fl}', lambda: os.setxattr(p, k, b'v' * rnd2.choice([0, 1, 10]), fl)
def op_getx():
    p, k = name(), rnd.choice(['user.a', 'user.b', 'bad', 'user.zz'])
    return f'getxattr {p[:9]} {k}', lambda: os.getxattr(p, k)
def op_listx():
    p = name(); return f'listxattr {p[:9]}', lambda: sorted(x for x in os.listxattr(p) if x.startswith('user'))
def op_rmx():
    p, k = name(), rnd.choice(['user.a', 'user.b'])
    return f'rmxattr {p[:9]} {k}', lambda: os.removexattr(p, k)
def op_mkfifo():
    p, t = name(), rnd.choice([stat.S_IFIFO, stat.S_IFREG, 0, stat.S_IFDIR, stat.S_IFSOCK, stat.S_IFLNK, stat.S_IFCHR])
    return f'mknod {p[:9]} {t:o}', lambda: mk(p, t | 0o640)
def op_lock():
    n, t, w = fd(), rnd.choice([fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK, 9]), rnd.choice([0, 1, 2, 5])
    a, l = rnd.choice([0, 5, -5]), rnd.choice([0, 10, -3])
    # What F_OFD_GETLK (36) makes of F_UNLCK depends on the kernel.
    kinds = [fcntl.F_SETLK, fcntl.F_GETLK, 37] + [36] * (t != fcntl.F_UNLCK)
    return f'lock {t} {w} {a} {l}', lambda: struct.unpack('hhqqi', fcntl.fcntl(n, rnd2.choice(kinds), struct.pack('hhqqi', t, w, a, l, 0)))[:4]
def op_flock():
    n, k = fd(), rnd.choice([fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN, 0, 3]) | fcntl.LOCK_NB
    def f():
        if libc.flock(n, k) < 0: raise OSError(ctypes.get_errno(), '')
    return f'flock {k}', f
def op_chdir():
    p = rnd.choice(['d', 'e', 'a', 'l', 'd/e', '.', 'zz'])
    def f():
        try:
            os.chdir(p)
            return os.getcwd()[len(top):]
        finally: os.chdir(top)
    return f'chdir {p}', f
def op_fdpath():
    n = fd()
    # What a file without a name is called depends on its inode.
    if n in fds and fcntl.fcntl(n, fcntl.F_GETFL) & 0o20000000:
        return 'fdlink', lambda: None
    return f'fdlink {de(n)}', lambda: os.readlink(f'/proc/self/fd/{n}').replace(top, 'T')[:60]
def op_atfd():
    n, p = fd(), name()
    return f'openat-stat {p[:9]}', lambda: show(os.stat(p, dir_fd=n, follow_symlinks=False))
def op_getdents():
    n = fd()
    return 'scandir fd', lambda: sorted((x.name[:9], x.is_dir(follow_symlinks=False), x.is_symlink()) for x in os.scandir(n))
def op_cfr():
    a, b, k = fd(), fd(), rnd.choice([0, 10, 5000])
    return f'copy_file_range {k} {de(a)} {de(b)}', lambda: os.copy_file_range(a, b, k)
def op_sendfile():
    a, b, k = fd(), fd(), rnd.choice([1, 10, 5000])
    return f'sendfile {k} {de(a)} {de(b)}', lambda: os.sendfile(a, b, None, k)
def op_sync():
    n = fd(); return 'fsync', lambda: os.fsync(n)
def op_statvfs():
    p = name(); return f'statvfs {p[:9]}', lambda: (os.statvfs(p).f_namemax,)
def op_fl():
    n, k = fd(), rnd.choice([0, os.O_APPEND, os.O_NONBLOCK, os.O_NOATIME, os.O_DIRECT, os.O_ASYNC])
    def f():
        fcntl.fcntl(n, fcntl.F_SETFL, k)
        return fcntl.fcntl(n, fcntl.F_GETFL) & ~0o100000
    return f'setfl {k:o} {de(n)}', f
def de(n):
    try: return f'{n in fds and fds.index(n)}:{fcntl.fcntl(n, fcntl.F_GETFL) & ~0o100000:o}:{os.fstat(n).st_mode>>12:o}:{os.fstat(n).st_size if not stat.S_ISDIR(os.fstat(n).st_mode) else 0}@{os.lseek(n,0,1) if stat.S_ISREG(os.fstat(n).st_mode) and not fcntl.fcntl(n, fcntl.F_GETFL) & 0o10000000 else 0}'
    except (OSError, ValueError): return 'bad'
def hash_(b): return (len(b), sum(b) % 9973)
ops = [v for k, v in sorted(globals().items()) if k.startswith('op_')]
rnd2 = random.Random(seed + 1)
for i in range(count):
    what, f = rnd.choice(ops)()
    try: r = f()
    except OSError as e: r = errno.errorcode.get(e.errno, e.errno)
    except ValueError as e: r = 'ValueError'
    except OverflowError as e: r = 'OverflowError'
    print(i, what, '->', r)
for n in fds: os.close(n)
os.chdir('/')
def clean(p):
    for x in os.scandir(p):
        if x.is_dir(follow_symlinks=False):
            os.chmod(x.path, 0o700); clean(x.path); os.rmdir(x.path)
        else: os.unlink(x.path)
os.chmod(top, 0o700); clean(top); os.rmdir(top)
