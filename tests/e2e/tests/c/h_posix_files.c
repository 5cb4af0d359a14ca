/* Locks, fcntl(2), inotify(7), extended attributes and access control lists, fifos and devices, directory streams, statx(2), handles. */
#include "posix.h"

static struct flock range(int type, off_t s, off_t l)
{
	struct flock f = { .l_type = type, .l_start = s, .l_len = l };
	return f;
}

#define LK(fd, cmd, t, s, l)                                                                          \
	do {                                                                                          \
		struct flock f_ = range(t, s, l);                                                     \
		errno = 0;                                                                            \
		long r_ = fcntl(fd, cmd, &f_);                                                        \
		answered("lock " #cmd " " #t " " #s " " #l, r_);                                      \
		if (cmd == F_GETLK || cmd == F_OFD_GETLK)                                             \
			printf("   %d %ld %ld pid %d\n", f_.l_type, (long)f_.l_start, (long)f_.l_len, \
			    f_.l_pid == 0        ? 0                                                  \
				: f_.l_pid == -1 ? -1                                                 \
						 : 1);                                                \
	} while (0)

static void alarmed(int s)
{
}

static void ev(int i)
{
	char b[4096];
	for (;;) {
		struct pollfd p = { i, POLLIN };
		if (poll(&p, 1, 20) <= 0)
			break;
		ssize_t n = read(i, b, sizeof b);
		for (char *q = b; q < b + n;) {
			struct inotify_event *e = (void *)q;
			printf("  ev wd %d mask %x cookie %d len %d name %s\n", e->wd, e->mask, e->cookie != 0, e->len,
			    e->len ? e->name : "");
			q += sizeof *e + e->len;
		}
	}
	fflush(stdout);
}

static char buf[70000];
static struct stat s;
static int a, b, r, w, ldd;
static struct statfs sf;

static void try_locks(void)
{
	puts("locks:");
	LK(a, F_SETLK, F_WRLCK, 0, 10);
	LK(b, F_GETLK, F_WRLCK, 0, 10);
	LK(r, F_SETLK, F_WRLCK, 0, 1);
	LK(w, F_SETLK, F_RDLCK, 0, 1);
	LK(a, F_SETLK, F_WRLCK, -1, 1);
	LK(a, F_SETLK, F_WRLCK, 5, -3);
	LK(a, F_SETLK, 7, 0, 1);
	LK(a, F_GETLK, F_UNLCK, 0, 1);
	LK(a, F_SETLK, F_WRLCK, INT64_MAX, 1);
	LK(a, F_SETLK, F_WRLCK, INT64_MAX, 2);
	LK(a, F_SETLK, F_UNLCK, INT64_MAX, 0);
	CHILD {
		LK(a, F_GETLK, F_WRLCK, 0, 0);
		LK(a, F_SETLK, F_RDLCK, 3, 1);
		LK(a, F_SETLK, F_RDLCK, 10, 5);
		signal(SIGALRM, SIG_DFL);
		struct sigaction sa = { .sa_handler = alarmed };
		sigaction(SIGALRM, &sa, 0);
		alarm(1);
		LK(a, F_SETLKW, F_RDLCK, 3, 1);
	}

	LK(a, F_SETLK, F_UNLCK, 3, 4);
	CHILD {
		LK(a, F_GETLK, F_WRLCK, 0, 0);
		LK(a, F_GETLK, F_WRLCK, 5, 10);
	}
	LK(a, F_SETLK, F_RDLCK, 0, 0);
	CHILD {
		LK(a, F_GETLK, F_WRLCK, 2, 2);
		LK(a, F_GETLK, F_RDLCK, 2, 2);
	}
	close(dup(a));
	CHILD {
		LK(a, F_GETLK, F_WRLCK, 2, 2);
	}
}

static void try_deadlock(void)
{
	puts("deadlock:");
	{
		int p1[2], p2[2];
		pipe(p1);
		pipe(p2);
		LK(a, F_SETLK, F_WRLCK, 0, 1);
		fflush(stdout);
		pid_t k = fork();
		if (!k) {
			struct flock f = range(F_WRLCK, 1, 1);
			fcntl(a, F_SETLK, &f);
			write(p1[1], "x", 1);
			f = range(F_WRLCK, 0, 1);
			int q = fcntl(a, F_SETLKW, &f);
			_exit(q == 0 ? 0 : 1);
		}
		read(p1[0], buf, 1);
		usleep(100000);
		LK(a, F_SETLKW, F_WRLCK, 1, 1);
		LK(a, F_SETLK, F_UNLCK, 0, 0);
		int st;
		waitpid(k, &st, 0);
		printf("child %x\n", st);
	}
}

static void try_ofd(void)
{
	puts("ofd:");
	LK(a, F_OFD_SETLK, F_WRLCK, 0, 5);
	LK(b, F_OFD_SETLK, F_WRLCK, 0, 5);
	LK(b, F_OFD_GETLK, F_WRLCK, 0, 5);
	LK(b, F_SETLK, F_WRLCK, 0, 5);
	LK(b, F_GETLK, F_WRLCK, 0, 5);
	{
		struct flock f = range(F_WRLCK, 0, 1);
		f.l_pid = 1;
		S(fcntl(a, F_OFD_SETLK, &f));
	}
	LK(r, F_OFD_SETLK, F_WRLCK, 9, 1);
	LK(a, F_OFD_SETLK, F_UNLCK, 0, 0);
	LK(b, F_OFD_SETLK, F_RDLCK, 0, 0);
	LK(a, F_OFD_SETLK, F_RDLCK, 0, 0);
	LK(a, F_OFD_SETLK, F_WRLCK, 0, 0);
	close(b);
	b = open("l", O_RDWR);
	LK(a, F_OFD_SETLK, F_WRLCK, 0, 0);
	LK(a, F_OFD_SETLK, F_UNLCK, 0, 0);
}

static void try_flock(void)
{
	puts("flock:");
	S(flock(a, LOCK_SH));
	S(flock(b, LOCK_SH | LOCK_NB));
	S(flock(b, LOCK_EX | LOCK_NB));
	S(flock(a, LOCK_UN));
	S(flock(b, LOCK_EX | LOCK_NB));
	S(flock(a, LOCK_SH | LOCK_NB));
	S(flock(dup(b), LOCK_EX | LOCK_NB));
	S(flock(r, LOCK_EX | LOCK_NB));
	S(flock(b, 0));
	S(flock(b, 77));
	S(flock(b, LOCK_MAND | LOCK_READ));
	CHILD {
		S(flock(b, LOCK_UN));
	}
	S(flock(a, LOCK_EX | LOCK_NB));
	LK(b, F_SETLK, F_WRLCK, 0, 0);
	S(flock(a, LOCK_UN));
	S(flock(99, LOCK_SH));
	mkdir("ld", 0755);
	ldd = open("ld", O_RDONLY);
	S(flock(ldd, LOCK_EX));
	LK(ldd, F_SETLK, F_RDLCK, 0, 0);
	LK(ldd, F_SETLK, F_WRLCK, 0, 0);
	S(lockf(a, F_TEST, 1));
	S(lockf(a, F_TLOCK, 1));
	S(lockf(a, F_ULOCK, 0));
	S(lockf(r, F_TLOCK, 1));
}

static void try_leases(void)
{
	puts("leases:");
	S(fcntl(r, F_GETLEASE));
}

static void try_fcntl(void)
{
	puts("fcntl:");
	S(fcntl(a, F_DUPFD, 300));
	S(close(300));
	S(fcntl(a, F_DUPFD, -1));
	S(fcntl(a, F_DUPFD, 1 << 30));
	S(fcntl(a, F_DUPFD_CLOEXEC, 310));
	S(fcntl(310, F_GETFD));
	S(close(310));
	S(fcntl(a, F_SETFD, 7));
	S(fcntl(a, F_GETFD));
	S(fcntl(a, F_SETFD, 0));
	S(fcntl(a, F_GETOWN));
	S(fcntl(a, F_GETSIG));
	S(fcntl(a, F_SETSIG, 200));
	S(fcntl(a, F_SETPIPE_SZ, 4096));
	S(fcntl(a, F_GETPIPE_SZ));
	S(fcntl(a, 9999));
	S(fcntl(a, F_NOTIFY, DN_CREATE));
	S(fcntl(a, F_SETFL, O_ASYNC) >= -1);
}

static void try_inotify(void)
{
	puts("inotify:");
	int in = inotify_init1(IN_NONBLOCK);
	mkdir("i", 0755);
	touch("i/pre", "p");
	int wd = inotify_add_watch(in, "i", IN_ALL_EVENTS), wf = inotify_add_watch(in, "i/pre", IN_ALL_EVENTS);
	printf("wd %d %d\n", wd, wf);
	touch("i/f", "x");
	ev(in);
	close(open("i/f", O_RDONLY));
	ev(in);
	S(chmod("i/f", 0600));
	ev(in);
	S(rename("i/f", "i/g"));
	ev(in);
	S(rename("i/g", "out"));
	ev(in);
	S(rename("out", "i/g"));
	ev(in);
	S(link("i/g", "i/h"));
	ev(in);
	S(unlink("i/h"));
	ev(in);
	S(symlink("g", "i/s"));
	ev(in);
	S(mkdir("i/d", 0755));
	ev(in);
	S(rmdir("i/d"));
	ev(in);
	S(mkfifo("i/p", 0600));
	ev(in);
	S(truncate("i/pre", 1));
	ev(in);
	S(setxattr("i/pre", "user.q", "r", 1, 0));
	ev(in);
	S(utimensat(AT_FDCWD, "i/pre", 0, 0));
	ev(in);
	{
		int f = open("i/pre", O_RDWR);
		read(f, buf, 1);
		write(f, "y", 1);
		ev(in);
		close(f);
		ev(in);
	}
	{
		DIR *d = opendir("i");
		while (readdir(d))
			;
		closedir(d);
		ev(in);
	}
	{
		int f = open("i/t", O_CREAT | O_RDWR, 0600);
		write(f, "1", 1);
		unlink("i/t");
		ev(in);
		close(f);
		ev(in);
	}
	S(rename("i", "i2"));
	ev(in);
	S(rename("i2", "i"));
	ev(in);
	S(unlink("i/pre"));
	ev(in);
	S(inotify_rm_watch(in, wf));
	S(inotify_rm_watch(in, wd));
	ev(in);
	S(inotify_rm_watch(in, wd));
	S(inotify_add_watch(in, "none", IN_CREATE));
	S(inotify_add_watch(in, "i", 0));
	int one = inotify_add_watch(in, "i", IN_CREATE | IN_ONESHOT);
	touch("i/o1", 0);
	touch("i/o2", 0);
	ev(in);
	S(inotify_add_watch(in, "i/o1", IN_ONLYDIR | IN_CREATE));
	one = inotify_add_watch(in, "i", IN_CREATE);
	S(inotify_add_watch(in, "i", IN_DELETE | IN_MASK_ADD) == one);
	S(inotify_add_watch(in, "i", IN_DELETE | IN_MASK_CREATE));
	unlink("i/o1");
	touch("i/o3", 0);
	ev(in);
	mkdir("j", 0755);
	inotify_add_watch(in, "j", IN_ALL_EVENTS);
	S(rmdir("j"));
	ev(in);
	symlink("i", "il");
	S(inotify_add_watch(in, "il", IN_ALL_EVENTS | IN_DONT_FOLLOW) > 0);
	inotify_add_watch(in, "i", IN_ALL_EVENTS);
	rename("i/o2", "i/o3");
	ev(in);
	{
		touch("i/q", "q");
		ev(in);
		int f = open("i/q", O_PATH);
		ev(in);
		close(f);
		ev(in);
		f = open("i/q", O_RDWR);
		ftruncate(f, 0);
		ev(in);
		fallocate(f, 0, 0, 10);
		ev(in);
		copy_file_range(a, 0, f, 0, 5, 0);
		ev(in);
		dup2(f, 400);
		close(f);
		ev(in);
		close(400);
		ev(in);
		S(ioctl(in, FIONREAD, buf));
		CHILD {
			char *x[] = { "cat", "i/q", 0 };
			execvp("cat", x);
		}
		ev(in);
	}
	S(inotify_init1(0x7));
	S(read(in, buf, 5));
}

static void try_fanotify(void)
{
	puts("fanotify:");
	S(syscall(SYS_fanotify_init, 0, O_RDONLY) >= 0);
}

static void try_xattr(void)
{
	puts("xattr:");
	touch("x", "x");
	S(setxattr("x", "user.a", "value", 5, 0));
	S(setxattr("x", "user.a", "v", 1, XATTR_CREATE));
	S(setxattr("x", "user.b", "v", 1, XATTR_REPLACE));
	S(setxattr("x", "user.", "v", 1, 0));
	S(setxattr("x", "user", "v", 1, 0));
	S(setxattr("x", "foo.bar", "v", 1, 0));
	S(setxattr("x", "", "v", 1, 0));
	S(setxattr("x", "security.foo", "v", 1, 0) >= 0 ? 1 : errno == EPERM ? -2 : -3);
	S(setxattr("x", "trusted.foo", "v", 1, 0));
	S(setxattr("x", "system.foo", "v", 1, 0));
	S(setxattr("x", "user.e", "", 0, 0));
	S(setxattr("x", "user.e2", 0, 0, 0));
	S(setxattr("x", "user.c", "v", 1, 7));
	S(getxattr("x", "user.a", buf, 0));
	S(getxattr("x", "user.a", buf, 2));
	S(getxattr("x", "user.a", buf, 5));
	S(getxattr("x", "user.none", buf, 5));
	S(getxattr("x", "user.e", buf, 5));
	S(getxattr("x", "foo.bar", buf, 5));
	S(getxattr("x", "trusted.foo", buf, 5));
	S(getxattr("x", "system.posix_acl_access", buf, 500));
	S(listxattr("x", buf, 0));
	S(listxattr("x", buf, 3));
	S(removexattr("x", "user.none"));
	S(removexattr("x", "trusted.none"));
	S(removexattr("x", "user.a"));
	memset(buf, 'n', 300);
	memcpy(buf, "user.", 5);
	buf[255] = 0;
	S(setxattr("x", buf, "v", 1, 0));
	buf[255] = 'n';
	buf[256] = 0;
	S(setxattr("x", buf, "v", 1, 0));
	S(setxattr("x", "user.big", buf, 65537, 0));
	symlink("x", "xs");
	S(lsetxattr("xs", "user.a", "v", 1, 0));
	S(lgetxattr("xs", "user.a", buf, 9));
	S(llistxattr("xs", buf, 100));
	S(setxattr("xs", "user.thru", "v", 1, 0));
	S(getxattr("x", "user.thru", buf, 9));
	mkfifo("xf", 0600);
	S(setxattr("xf", "user.a", "v", 1, 0));
	S(getxattr("xf", "user.a", buf, 9));
	mkdir("xd", 01777);
	S(setxattr("xd", "user.a", "v", 1, 0));
	S(setxattr("none", "user.a", "v", 1, 0));
	int xo = open("x", O_RDONLY);
	S(fsetxattr(xo, "user.ro", "v", 1, 0));
	S(flistxattr(xo, buf, 1000));
	S(fremovexattr(xo, "user.ro"));
	chmod("x", 0444);
	S(setxattr("x", "user.444", "v", 1, 0));
	chmod("x", 0200);
	S(getxattr("x", "user.thru", buf, 9));
	chmod("x", 0600);

	struct {
		uint32_t v;

		struct {
			uint16_t t, p;
			uint32_t i;
		} e[5];
	} acl = { 2, { { 1, 6, -1 }, { 2, 4, 1000 }, { 4, 4, -1 }, { 16, 6, -1 }, { 32, 0, -1 } } };

	S(setxattr("x", "system.posix_acl_access", &acl, 44, 0));
	st("x");
	S(getxattr("x", "system.posix_acl_access", buf, 500));
	S(setxattr("x", "system.posix_acl_default", &acl, 44, 0));
	S(setxattr("xd", "system.posix_acl_default", &acl, 44, 0));
	touch("xd/in", 0);
	st("xd/in");
	mkdir("xd/dir", 0777);
	st("xd/dir");
	S(getxattr("xd/dir", "system.posix_acl_default", buf, 500));
	S(getxattr("xd/in", "system.posix_acl_access", buf, 500));
	S(setxattr("x", "system.posix_acl_access", &acl, 36, 0));
	S(setxattr("x", "system.posix_acl_access", &acl, 43, 0));
	acl.v = 1;
	S(setxattr("x", "system.posix_acl_access", &acl, 44, 0));
	S(chmod("x", 0755));
	S(getxattr("x", "system.posix_acl_access", buf, 500));
	printf("%d %d\n", buf[4 + 8 * 3 + 2], buf[4 + 8 * 2 + 2]);
	S(removexattr("x", "system.posix_acl_access"));
	st("x");
	S(removexattr("x", "system.posix_acl_access"));
	S(removexattr("x", "system.posix_acl_default"));
}

static void try_special(void)
{
	puts("special:");
	S(mkfifo("p", 0644));
	st("p");
	S(mknod("p2", S_IFIFO | 0622, 0));
	S(mknod("sock", S_IFSOCK | 0755, 0));
	st("sock");
	F(open("sock", O_RDWR));
	F(open("sock", O_PATH));
	S(mknod("reg", 0644, 0));
	st("reg");
	S(mknod("reg", S_IFREG | 0644, 0));
	S(mknod("chr", S_IFCHR | 0666, makedev(1, 3)));
	S(mknod("blk", S_IFBLK | 0666, makedev(7, 0)));
	S(mknod("dir", S_IFDIR | 0777, 0));
	S(mknod("lnk", S_IFLNK | 0777, 0));
	S(mknod("bad", 0170000 | 0777, 0));
	S(mknod("wh", S_IFCHR, 0));
	st("wh");
	F(open("p", O_WRONLY | O_NONBLOCK));
	int pr = open("p", O_RDONLY | O_NONBLOCK), pw = open("p", O_WRONLY | O_NONBLOCK);
	S(write(pw, "hi", 2));
	S(read(pr, buf, 9));
	S(read(pr, buf, 9));
	close(pw);
	S(read(pr, buf, 9));
	S(lseek(pr, 0, 0));
	S(fsync(pr));
	S(ftruncate(pr, 0));
	S(pread(pr, buf, 1, 0));
	S(mmap(0, 4096, PROT_READ, MAP_PRIVATE, pr, 0) == MAP_FAILED);
	S(truncate("p", 0));
	S(fcntl(pr, F_GETPIPE_SZ));
	int prw = open("p", O_RDWR);
	S(fcntl(prw, F_SETPIPE_SZ, 4096));
	S(ioctl(prw, FIONREAD, buf));
	S(poll(&(struct pollfd){ prw, POLLIN | POLLOUT }, 1, 0));
	signal(SIGPIPE, SIG_IGN);
	close(pr);
	close(prw);
}

static void try_dirs(void)
{
	puts("dirs:");
	mkdir("big", 0755);
	chdir("big");
	for (int i = 0; i < 200; i++) {
		char n[20];
		sprintf(n, "f%03d", i);
		touch(n, 0);
	}
	DIR *d = opendir(".");
	int n = 0;
	long pos[300];
	char names[300][20];
	struct dirent *e;
	while (pos[n] = telldir(d), e = readdir(d)) {
		strcpy(names[n++], e->d_name);
	}
	printf("%d\n", n);
	seekdir(d, pos[100]);
	e = readdir(d);
	printf("same %d\n", !strcmp(e->d_name, names[100]));
	seekdir(d, pos[3]);
	e = readdir(d);
	printf("same %d\n", !strcmp(e->d_name, names[3]));
	rewinddir(d);
	int m = 0;
	while ((e = readdir(d)))
		m++;
	printf("%d\n", m);
	rewinddir(d);
	m = 0;
	int seen = 0;
	while ((e = readdir(d))) {
		m++;
		if (e->d_name[0] == 'f') {
			seen++;
			unlink(e->d_name);
		}
	}
	printf("deleting while reading: %d\n", seen);
	closedir(d);
	d = opendir(".");
	m = 0;
	while (readdir(d))
		m++;
	printf("left %d\n", m);
	rewinddir(d);
	readdir(d);
	touch("new1", 0);
	rewinddir(d);
	m = 0;
	while (readdir(d))
		m++;
	printf("after rewind %d\n", m);
	closedir(d);
	d = opendir(".");
	readdir(d);
	for (int i = 0; i < 50; i++) {
		char q[20];
		sprintf(q, "g%03d", i);
		touch(q, 0);
	}
	m = 0;
	while ((e = readdir(d))) {
		if (m++ > 500)
			break;
		char q[30];
		sprintf(q, "%.10s_r", e->d_name);
		if (e->d_name[0] == 'g' && !strstr(e->d_name, "_r"))
			rename(e->d_name, q);
	}
	printf("bounded %d\n", m < 400);
	closedir(d);
	int df = open(".", O_RDONLY);
	S(lseek(df, 0, SEEK_SET));
	S(getdents64(df, buf, 10));
	S(getdents64(df, buf, 24) > 0);
	S(lseek(df, -1, SEEK_SET));
	S(lseek(df, 0, SEEK_CUR) > 0);
	S(getdents64(a, buf, 100));
	chdir("..");
	d = opendir("i");
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			struct stat q;
			fstatat(dirfd(d), e->d_name, &q, AT_SYMLINK_NOFOLLOW);
			printf("type %d ino %d\n", IFTODT(q.st_mode) == e->d_type, q.st_ino == e->d_ino);
		}
	closedir(d);
	{
		struct stat r1, r2;
		stat(".", &r1);
		d = opendir("big");
		while ((e = readdir(d))) {
			if (!strcmp(e->d_name, ".."))
				printf("dotdot ino %d\n", e->d_ino == r1.st_ino);
			if (!strcmp(e->d_name, ".")) {
				stat("big", &r2);
				printf("dot ino %d\n", e->d_ino == r2.st_ino);
			}
		}
		closedir(d);
	}
}

static void try_statx(void)
{
	puts("statx:");
	struct statx x;
	touch("sx", "0123");
	S(statx(AT_FDCWD, "sx", 0, STATX_ALL, &x));
	S(statx(AT_FDCWD, "sx", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, 0, &x));
	S(statx(AT_FDCWD, "sx", AT_STATX_DONT_SYNC, STATX_SIZE, &x));
	S(statx(AT_FDCWD, "sx", 0, 1u << 31, &x));
	S(statx(AT_FDCWD, "", 0, STATX_SIZE, &x));
	S(statx(a, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	S(statx(a, "", 0, STATX_SIZE, &x));
	S(statx(AT_FDCWD, "sx", 0x40000, STATX_SIZE, &x));
	S(statx(AT_FDCWD, "", AT_EMPTY_PATH, STATX_TYPE, &x));
	printf("cwd %o\n", x.stx_mode & S_IFMT);
	S(syscall(SYS_newfstatat, AT_FDCWD, 0, &s, AT_EMPTY_PATH));
	S(syscall(SYS_newfstatat, a, 0, &s, AT_EMPTY_PATH));
	S(syscall(SYS_statx, a, 0, AT_EMPTY_PATH, 1, &x));
	S(statfs("sx", &sf));
	S(pathconf("sx", _PC_NAME_MAX));
	S(pathconf("sx", _PC_2_SYMLINKS));
	S(pathconf("sx", _PC_CHOWN_RESTRICTED));
}

static void try_handles(void)
{
	puts("handles:");

	struct {
		struct file_handle h;
		char b[128];
	} h;

	int mid;
	h.h.handle_bytes = 0;
	S(name_to_handle_at(AT_FDCWD, "sx", &h.h, &mid, 0));
	printf("needs %d\n", h.h.handle_bytes > 0);
	h.h.handle_bytes = 128;
	S(name_to_handle_at(AT_FDCWD, "sx", &h.h, &mid, 0));
	S(name_to_handle_at(AT_FDCWD, "none", &h.h, &mid, 0));
	h.h.handle_bytes = 129;
	S(name_to_handle_at(AT_FDCWD, "sx", &h.h, &mid, 0));
	h.h.handle_bytes = 128;
	S(name_to_handle_at(a, "", &h.h, &mid, AT_EMPTY_PATH));
	S(name_to_handle_at(AT_FDCWD, "sx", &h.h, &mid, 0x8000));
	F(open_by_handle_at(99, &h.h, O_RDONLY));
}

int main(int argc, char **argv)
{
	umask(022);
	chdir(argv[1]);
	touch("l", "0123456789");
	a = open("l", O_RDWR), b = open("l", O_RDWR), r = open("l", O_RDONLY), w = open("l", O_WRONLY);
	try_locks();
	try_deadlock();
	try_ofd();
	try_flock();
	try_leases();
	try_fcntl();
	try_inotify();
	try_fanotify();
	try_xattr();
	try_special();
	try_dirs();
	try_statx();
	try_handles();
	return 0;
}
