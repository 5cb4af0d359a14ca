/* Names: renaming, lengths, symbolic links, files without a name, O_PATH, openat2(2), a working directory that is gone, execveat(2). */
#include "posix.h"

static long o2(int d, const char *p, uint64_t flags, uint64_t mode, uint64_t res)
{
	struct open_how h = { flags, mode, res };
	return syscall(SYS_openat2, d, p, &h, sizeof h);
}

static long rn(const char *a, const char *b, unsigned f)
{
	return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, f);
}

static char buf[8192], lng[5000];
static const char *home;

static void try_rename(void)
{
	puts("rename:");

	touch("a", "a");
	touch("b", "b");
	mkdir("d", 0755);
	mkdir("e", 0755);
	touch("e/x", 0);
	symlink("a", "s");
	S(rn("a", "b", RENAME_NOREPLACE));
	S(rn("a", "n", RENAME_NOREPLACE));
	st("n");
	S(rn("n", "a", 0));
	S(rn("a", "d", RENAME_EXCHANGE));
	st("a");
	st("d");
	S(rn("a", "d", RENAME_EXCHANGE));
	S(rn("a", "none", RENAME_EXCHANGE));
	S(rn("a", "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
	S(rn("a", "b", RENAME_WHITEOUT | RENAME_EXCHANGE));
	S(rn("a", "b", 8));
	S(rn("d", "d/sub", RENAME_EXCHANGE));
	mkdir("d/sub", 0755);
	S(rn("d", "d/sub", RENAME_EXCHANGE));
	S(rn("d/sub", "d", RENAME_EXCHANGE));
	S(rn("d", "d/sub/x", 0));
	rmdir("d/sub");
	S(rename("a", "d"));
	S(rename("d", "a"));
	S(rename("d", "e"));
	S(rename("e", "d"));
	st("d/x");
	S(rename("a", "a"));
	S(link("a", "h"));
	S(rename("a", "h"));
	st("a");
	st("h");
	S(rename("a/", "z"));
	S(rename("d/", "z"));
	S(rename("z", "d/"));
	S(rename("b", "q/"));
	S(rename("d/.", "z"));
	S(rename("d/..", "z"));
	S(rename("b", "."));
	S(rename("b", ".."));
	S(rename(".", "b"));
	S(rename("s", "s2"));
	S(rename("s2", "s"));
	S(rename("", "x"));
	S(rename("a", ""));
	S(rn("a", "a", RENAME_NOREPLACE));
	S(rn("a", "a", RENAME_EXCHANGE));
	S(rn("none", "b", RENAME_NOREPLACE));
	S(rn("none", "b", RENAME_EXCHANGE));
}

static void try_names(void)
{
	puts("names:");

	memset(lng, 'n', sizeof lng);
	lng[255] = 0;
	F(open(lng, O_CREAT | O_RDWR, 0600));
	S(unlink(lng));
	lng[255] = 'n';
	lng[256] = 0;
	F(open(lng, O_CREAT | O_RDWR, 0600));
	S(mkdir(lng, 0700));
	S(access(lng, 0));
	S(symlink("a", lng));
	S(link("a", lng));
	S(rename("a", lng));
	S(rename(lng, "a"));
	S(unlink(lng));
	S(rmdir(lng));
	S(mknod(lng, S_IFIFO | 0600, 0));
	S(readlink(lng, buf, 10));
	S(truncate(lng, 0));
	S(chmod(lng, 0));
	S(chdir(lng));
	S(setxattr(lng, "user.a", "a", 1, 0));
	S(statfs(lng, (void *)buf));
	S(utimensat(AT_FDCWD, lng, 0, 0));
	S(inotify_add_watch(inotify_init1(0), lng, IN_CREATE));
	memset(lng, '/', sizeof lng);
	memcpy(lng + 4094, "a", 2);
	S(access(lng, 0));
	lng[4094] = '/';
	lng[4095] = 0;
	S(access(lng, 0));
	lng[4095] = '/';
	lng[4096] = 0;
	S(access(lng, 0));
	memset(lng, 's', sizeof lng);
	lng[4095] = 0;
	S(symlink(lng, "ls"));
	S(readlink("ls", buf, sizeof buf));
	S(access("ls", 0));
	unlink("ls");
	lng[4094] = 0;
	S(symlink(lng, "ls"));
	lng[4095] = 's';
	lng[4096] = 0;
	S(symlink(lng, "ls2"));
	S(symlink("", "ls3"));
	S(readlink("s", buf, 0));
	S(readlink("s", buf, 1));
	S(readlink("a", buf, 10));
	S(readlink("none", buf, 10));
}

static void try_links(void)
{
	puts("links:");

	symlink("l2", "l1");
	symlink("l1", "l2");
	S(access("l1", 0));
	F(open("l1", O_RDONLY));
	F(open("l1", O_CREAT | O_WRONLY, 0600));
	S(chmod("l1", 0));
	F(open("l1", O_RDONLY | O_NOFOLLOW));
	F(open("l1", O_PATH | O_NOFOLLOW));
	S(mkdir("l1", 0));
	S(mkdir("l1/x", 0));
	S(unlink("l1/x"));
	S(rename("l1/x", "y"));
	S(truncate("l1", 0));
	S(link("l1/x", "y"));
	S(linkat(AT_FDCWD, "l1", AT_FDCWD, "y", AT_SYMLINK_FOLLOW));
	S(linkat(AT_FDCWD, "l1", AT_FDCWD, "y", 0));
	st("y");
	S(chdir("l1"));
	touch("k0", "k");
	for (int i = 1; i <= 42; i++) {
		char f[9], t[9];
		sprintf(f, "k%d", i - 1);
		sprintf(t, "k%d", i);
		symlink(f, t);
	}
	S(access("k39", 0));
	S(access("k40", 0));
	S(access("k41", 0));
	symlink(".", "dot");
	S(access("dot/dot/dot/a", 0));
	S(unlink("dot/"));
	S(rmdir("dot"));
	S(rmdir("dot/"));
	S(rmdir("."));
	S(rmdir("d/."));
	S(rmdir("d/.."));
	S(mkdir(".", 0));
	S(mkdir("..", 0));
	S(mkdir("nd/", 0755));
	S(mkdir("nd/.", 0755));
	S(mkdir("none/.", 0755));
	S(unlink("nd"));
	S(unlink("nd/"));
	S(unlink("a/"));
	S(unlink("none/"));
	S(rmdir("a"));
	S(unlink("."));
	S(unlink("d/."));
	F(open("newf/", O_CREAT | O_WRONLY, 0600));
	F(open("a/", O_RDONLY));
	F(open("nd", O_CREAT | O_RDONLY, 0600));
	F(open("nd", O_WRONLY));
	F(open("nd", O_RDWR));
	F(open("nd", O_CREAT | O_DIRECTORY, 0600));
	F(open("nn", O_CREAT | O_DIRECTORY | O_RDWR, 0600));
	st("nn");
	F(open("nd/", O_CREAT | O_RDONLY, 0600));
	F(open("a", O_DIRECTORY));
	F(open("s", O_DIRECTORY | O_NOFOLLOW));
	F(open("dot", O_DIRECTORY | O_NOFOLLOW));
	F(open("s", O_CREAT | O_EXCL | O_WRONLY, 0600));
	symlink("hang", "dangling");
	F(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600));
	F(open("dangling", O_CREAT | O_WRONLY, 0600));
	st("hang");
	symlink("hang2/", "dangling2");
	F(open("dangling2", O_CREAT | O_WRONLY, 0600));
	S(mkdir("dangling2", 0755));
	symlink("nodir", "dangling3");
	S(mkdir("dangling3", 0755));
	S(mkdir("dangling3/", 0755));
	st("nodir");
	S(mknod("dangling3", S_IFREG | 0600, 0));
	S(symlink("a", "nd/"));
	S(symlink("a", "none2/"));
	S(link("a", "none2/"));
	S(link("d", "dd"));
	S(link("a", "b"));
	S(link("none", "b"));
	S(link("s", "sl"));
	st("sl");
	S(linkat(AT_FDCWD, "s", AT_FDCWD, "sf", AT_SYMLINK_FOLLOW));
	st("sf");
	S(linkat(AT_FDCWD, "a", AT_FDCWD, "zz", 0x10000));
	F(open("", O_RDONLY));
	S(access("", 0));
	S(mkdir("", 0));
	S(readlink("dot/", buf, 10));
	S(lstat("s/", (void *)buf));
	S(lstat("dot/", (void *)buf));
	S(lstat("a/.", (void *)buf));
	S(stat("a/..", (void *)buf));
}

static void try_temporary(void)
{
	puts("temporary:");

	F(open("a", O_TMPFILE | O_RDWR, 0600));
	F(open("none3", O_TMPFILE | O_RDWR, 0600));
}

static void try_unlinked(void)
{
	puts("unlinked:");

	int u = open("un", O_CREAT | O_RDWR, 0600);
	S(unlink("un"));
	S(write(u, "data", 4));
	S(pread(u, buf, 10, 0));
	S(fchmod(u, 0644));
	S(ftruncate(u, 100));
	struct stat us;
	fstat(u, &us);
	printf("nlink %d size %ld\n", (int)us.st_nlink, (long)us.st_size);
	sprintf(buf, "/proc/self/fd/%d", u);
	S(linkat(AT_FDCWD, buf, AT_FDCWD, "un", AT_SYMLINK_FOLLOW));
	F(open(buf, O_RDONLY));
	S(fsetxattr(u, "user.x", "y", 1, 0));
	close(u);
}

static void try_opath(void)
{
	puts("opath:");

	int p = open("a", O_PATH);
	S(read(p, buf, 1));
	S(write(p, "x", 1));
	S(fchmod(p, 0600));
	S(fchown(p, -1, -1));
	S(ftruncate(p, 0));
	S(fsync(p));
	S(lseek(p, 0, SEEK_CUR));
	S(fstat(p, (void *)buf));
	S(fstatfs(p, (void *)buf));
	S(flock(p, LOCK_SH));
	S(ioctl(p, FIONREAD, buf));
	S(fgetxattr(p, "user.x", buf, 1));
	S(fcntl(p, F_GETFL) & ~O_LARGEFILE);
	S(fcntl(p, F_GETFD));
	S(fcntl(p, F_SETFL, O_NONBLOCK));
	S(mmap(0, 4096, PROT_READ, MAP_SHARED, p, 0) == MAP_FAILED);
	S(fchdir(p));
	S(futimens(p, 0));
	S(fallocate(p, 0, 0, 1));
	S(posix_fadvise(p, 0, 0, 0));
	S(getdents64(p, buf, 100));
	S(linkat(p, "", AT_FDCWD, "lp", AT_EMPTY_PATH));
	sprintf(buf, "/proc/self/fd/%d", p);
	F(open(buf, O_RDONLY));
	S(chmod(buf, 0600));
	S(faccessat(p, "", R_OK, AT_EMPTY_PATH));
	S(fchownat(p, "", -1, -1, AT_EMPTY_PATH));
	S(fchmodat(p, "", 0600, AT_EMPTY_PATH));
	S(syscall(452, p, "", 0600, AT_EMPTY_PATH));
	S(syscall(452, AT_FDCWD, "s", 0600, AT_SYMLINK_NOFOLLOW));
	S(syscall(452, AT_FDCWD, "a", 0644, 0));
	S(utimensat(p, "", 0, AT_EMPTY_PATH));
	struct flock fl = { .l_type = F_RDLCK };
	S(fcntl(p, F_SETLK, &fl));
	S(dup2(p, 77));
	S(close(77));
	S(poll(&(struct pollfd){ p, POLLIN, 0 }, 1, 0));
	S(readlinkat(p, "", buf, 10));
	F(openat(p, "", O_RDONLY));
	F(openat(p, "x", O_RDONLY));
	close(p);
	p = open("s", O_PATH | O_NOFOLLOW);
	S(readlinkat(p, "", buf, 10));
	S(fstat(p, (void *)buf));
	printf("%o\n", ((struct stat *)buf)->st_mode);
	sprintf(buf, "/proc/self/fd/%d", p);
	F(open(buf, O_RDONLY));
	F(open(buf, O_PATH));
	close(p);
	p = open("d", O_PATH);
	F(openat(p, "x", O_RDONLY));
	S(fchdir(p));
	S(chdir(".."));
	S(getdents64(p, buf, 100));
	S(mkdirat(p, "in", 0755));
	S(unlinkat(p, "in", AT_REMOVEDIR));
	close(p);
	F(open("d", O_PATH | O_RDWR | O_CREAT | O_TRUNC | O_EXCL));
	F(open("s", O_PATH | O_NOFOLLOW | O_DIRECTORY));
	F(open("none", O_PATH | O_CREAT, 0600));
}

static void try_openat2(void)
{
	puts("openat2:");

	mkdir("r", 0755);
	mkdir("r/in", 0755);
	touch("r/f", "f");
	symlink("/f", "r/abs");
	symlink("f", "r/rel");
	symlink("../a", "r/up");
	symlink("/proc/self/fd", "r/magic");
	touch("out", "o");
	int r = open("r", O_RDONLY);
	F(o2(r, "f", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "rel", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "abs", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "up", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "../out", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "in/../f", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "/f", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "..", 0, 0, RESOLVE_BENEATH));
	F(o2(r, ".", 0, 0, RESOLVE_BENEATH));
	F(o2(r, "abs", 0, 0, RESOLVE_IN_ROOT));
	F(o2(r, "/f", 0, 0, RESOLVE_IN_ROOT));
	F(o2(r, "../../f", 0, 0, RESOLVE_IN_ROOT));
	F(o2(r, "up", 0, 0, RESOLVE_IN_ROOT));
	F(o2(r, "in/../../../rel", 0, 0, RESOLVE_IN_ROOT));
	F(o2(r, "/", 0, 0, RESOLVE_IN_ROOT));
	F(o2(r, "rel", 0, 0, RESOLVE_NO_SYMLINKS));
	F(o2(r, "f", 0, 0, RESOLVE_NO_SYMLINKS));
	F(o2(r, "rel", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
	F(o2(r, "rel", O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
	F(o2(r, "f", 0, 0, RESOLVE_NO_MAGICLINKS));
	F(o2(r, "rel", 0, 0, RESOLVE_NO_MAGICLINKS));
	F(o2(r, "f", 0, 0, RESOLVE_NO_XDEV));
	F(o2(r, "..", 0, 0, RESOLVE_NO_XDEV));
	F(o2(r, "nf", O_CREAT | O_WRONLY, 0600, RESOLVE_CACHED));
	F(o2(r, "f", 0, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	F(o2(r, "f", 0, 0, 1 << 10));
	F(o2(r, "f", 0, 0600, 0));
	F(o2(r, "nf", O_CREAT | O_WRONLY, 0600, 0));
	F(o2(r, "nf", O_CREAT | O_WRONLY, 010000, 0));
	F(o2(r, "f", O_PATH | O_RDWR, 0, 0));
	F(o2(r, "f", 1ull << 40, 0, 0));
	struct open_how h = { 0 };
	S(syscall(SYS_openat2, r, "f", &h, 8));

	struct {
		struct open_how h;
		long x;
	} h2 = { { 0 }, 1 };

	S(syscall(SYS_openat2, r, "f", &h2, sizeof h2));
	h2.x = 0;
	F(syscall(SYS_openat2, r, "f", &h2, sizeof h2));
	S(syscall(SYS_openat2, r, "f", &h, 5000));
	F(o2(r, "new/../f", O_CREAT, 0600, 0));
	F(o2(r, "f", O_PATH | O_CREAT, 0, 0));
	F(o2(r, "f", O_PATH | O_CLOEXEC, 0, 0));
	F(o2(99, "f", 0, 0, 0));
	F(o2(-5, "f", 0, 0, 0));
}

static void try_removed_cwd(void)
{
	puts("removed cwd:");

	mkdir("gone", 0755);
	chdir("gone");
	S(rmdir("../gone"));
	S(getcwd(buf, 100) != 0);
	S(syscall(SYS_getcwd, buf, 100));
	S(access(".", 0));
	S(access("..", 0));
	F(open("x", O_CREAT | O_WRONLY, 0600));
	S(mkdir("x", 0));
	F(open(".", O_RDONLY));
	DIR *dd = opendir(".");
	answered("opendir", dd != 0);
	if (dd) {
		int n = 0;
		while (readdir(dd))
			n++;
		printf("%d entries\n", n);
		closedir(dd);
	}
	S(stat(".", (void *)buf));
	printf("nlink %d\n", (int)((struct stat *)buf)->st_nlink);
	S(symlink("a", "b"));
	S(chdir(".."));
	S(chdir(home));
	S(syscall(SYS_getcwd, buf, 0));
	S(syscall(SYS_getcwd, buf, 2));
}

static void try_execveat(void)
{
	char *a[] = { "sh", "x", 0 };

	puts("execveat:");

	touch("sh", "#!/bin/sh\necho ran $#\n");
	chmod("sh", 0755);
	CHILD {
		S(syscall(SYS_execveat, AT_FDCWD, "none", a, environ, 0));
	}

	CHILD {
		S(syscall(SYS_execveat, AT_FDCWD, "a", a, environ, 0));
	}

	CHILD {
		S(syscall(SYS_execveat, AT_FDCWD, "sh", a, environ, 0));
	}

	CHILD {
		int f = open("sh", O_RDONLY);
		S(syscall(SYS_execveat, f, "", a, environ, AT_EMPTY_PATH));
	}

	CHILD {
		int f = open("sh", O_PATH | O_CLOEXEC);
		S(syscall(SYS_execveat, f, "", a, environ, AT_EMPTY_PATH));
	}

	CHILD {
		S(syscall(SYS_execveat, AT_FDCWD, "s", a, environ, AT_SYMLINK_NOFOLLOW));
	}

	CHILD {
		S(syscall(SYS_execveat, AT_FDCWD, "d", a, environ, 0));
	}

	CHILD {
		S(syscall(SYS_execveat, AT_FDCWD, "sh/", a, environ, 0));
	}

	CHILD {
		S(syscall(SYS_execveat, AT_FDCWD, "sh", a, environ, 0x8000));
	}

	CHILD {
		S(execve("l1", a, environ));
	}

	CHILD {
		touch("bad", "#!/nonexist\n");
		chmod("bad", 0755);
		S(execve("bad", a, environ));
	}

	CHILD {
		touch("junk", "junk\n");
		chmod("junk", 0755);
		S(execve("junk", a, environ));
	}

	CHILD {
		touch("empty", "");
		chmod("empty", 0755);
		S(execve("empty", a, environ));
	}
}

int main(int argc, char **argv)
{
	umask(022);
	S(chdir(home = argv[1]));
	try_rename();
	try_names();
	try_links();
	try_temporary();
	try_unlinked();
	try_opath();
	try_openat2();
	try_removed_cwd();
	try_execveat();
	return 0;
}
