/* Who may do what: permissions, groups, sticky and set-group-ID directories, umask, devices. Run by root, which becomes others. */
#include "posix.h"

/* As a user in the group of the same number, and in another if that is not 0. */
#define AS(uid, gid, other) for (int in = in_child() && become(uid, gid, other); in; leave())
#define OWNER AS (1001, 1001, 0)
#define MEMBER AS (1002, 1002, 1003)

static int become(uid_t uid, gid_t gid, gid_t other)
{
	setgroups(other != 0, &other);
	setresgid(gid, gid, gid);
	setresuid(uid, uid, uid);
	printf("[%d:%d]\n", uid, gid);
	return 1;
}

static void file(const char *n, mode_t m, int u, int g)
{
	touch(n, "#!/bin/sh\necho hi\n");
	chown(n, u, g);
	chmod(n, m);
}

static void directory(const char *n, mode_t m, int u, int g)
{
	mkdir(n, 0755);
	chown(n, u, g);
	chmod(n, m);
}

static char buf[4096];
static const char *home;

static void each_way(void)
{
	S(access("p/f", R_OK));
	S(access("g", R_OK));
	S(access("g", W_OK));
	S(access("o", R_OK));
	S(access("og", R_OK));
	S(access("x", X_OK));
	S(access("nox", X_OK));
	F(open("p/f", O_RDONLY));
	F(open("g", O_RDWR));
	F(open("g", O_RDONLY));
	F(open("o", O_RDONLY));
	F(open("nx/f", O_RDONLY));
	F(open("nx", O_RDONLY));
	F(open("wx", O_RDONLY));
	F(open("wx/f", O_RDONLY));
	S(chdir("nx"));
	S(chdir("wx"));
	S(chdir(home));
	S(rename("nx/f", "nx/e"));
	S(unlink("nx/f"));
	S(truncate("g", 3));
	S(chmod("g", 0640));
	S(chown("g", -1, 1003));
	S(chown("g", -1, 1002));
	S(chown("g", 1002, -1));
	S(chown("g", 1001, -1));
	S(chown("g", 1001, 1003));
	S(utimensat(AT_FDCWD, "g", 0, 0));
	S(utimensat(AT_FDCWD, "nox", 0, 0));
	S(utimensat(AT_FDCWD, "nox", (struct timespec[2]){ { 1, 1 }, { 2, 2 } }, 0));
	S(utimensat(AT_FDCWD, "nox", (struct timespec[2]){ { 1, UTIME_NOW }, { 2, UTIME_NOW } }, 0));
	S(utimensat(AT_FDCWD, "nox", (struct timespec[2]){ { 1, UTIME_NOW }, { 2, UTIME_OMIT } }, 0));
	S(setxattr("g", "user.a", "b", 1, 0));
	S(getxattr("p/f", "user.a", buf, 10));
	S(setxattr("g", "trusted.a", "b", 1, 0));
	S(getxattr("g", "trusted.a", buf, 9));
	S(listxattr("g", buf, 100));
	F(open("nox", O_RDONLY | O_NOATIME));
	S(link("suid", "ln1"));
	unlink("ln1");
	S(mknod("dev", S_IFCHR | 0600, makedev(1, 3)));
	unlink("dev");
	S(chroot("."));
	S(execl("nox", "nox", NULL));
	S(symlink("x", "wx/l"));
	S(unlink("wx/l"));
	S(statfs("p/f", (void *)buf));
	S(readlink("p/f", buf, 10));
	S(inotify_add_watch(inotify_init(), "g", IN_CREATE) > 0);
	S(name_to_handle_at(AT_FDCWD, "g", &(struct file_handle){ 0 }, &(int){ 0 }, 0));
	S(access("none/x", 0));
	S(mount("t", "p", "tmpfs", 0, 0) && errno != EPERM ? 5 : 6);
}

static void try_access(void)
{
	puts("access:");
	directory("p", 0700, 1001, 1001);
	file("p/f", 0666, 1001, 1001);
	file("g", 0640, 1001, 1003);
	file("o", 0004, 1001, 1003);
	file("og", 0604, 1001, 1003);
	file("x", 0100, 0, 0);
	file("nox", 0666, 0, 0);
	file("suid", 06777, 1001, 1003);
	directory("nx", 0666, 1001, 1001);
	file("nx/f", 0666, 1001, 1001);
	directory("wx", 0333, 1001, 1001);
	file("wx/f", 0666, 1001, 1001);
	OWNER {
		each_way();
	}
	MEMBER {
		each_way();
	}

	puts("root");
	S(access("p/f", R_OK));
	S(access("o", W_OK));
	S(access("nox", X_OK));
	S(access("x", X_OK));
	S(access("nx", X_OK));
	F(open("o", O_RDWR));
	S(execl("nox", "nox", NULL));
}

static void try_sticky(void)
{
	puts("sticky:");
	directory("st", 01777, 0, 0);
	file("st/u", 0666, 1001, 1001);
	file("st/v", 0666, 1002, 1002);
	directory("st/ud", 0777, 1001, 1001);
	directory("free", 0777, 0, 0);
	MEMBER {
		S(unlink("st/u"));
		S(rename("st/u", "st/w"));
		S(rename("st/u", "free/w"));
		S(rmdir("st/ud"));
		S(rename("st/v", "st/u"));
		S(rename("st/v", "st/w"));
		S(rename("st/w", "st/v"));
		S(syscall(SYS_renameat2, AT_FDCWD, "st/v", AT_FDCWD, "st/u", RENAME_EXCHANGE));
		S(link("st/u", "st/l"));
		S(rename("st/ud", "free/ud"));
		S(unlink("st/v"));
		F(open("st/u", O_CREAT | O_RDWR, 0600));
		F(open("st/new", O_CREAT | O_RDWR, 0600));
	}

	OWNER {
		S(unlink("st/new"));
		S(unlink("st/u"));
		S(rename("st/ud", "st/ue"));
		S(rmdir("st/ue"));
	}
	mkfifo("st/ff", 0666);
	chown("st/ff", 1002, 1002);
	OWNER {
		F(open("st/ff", O_CREAT | O_RDWR | O_NONBLOCK, 0600));
		F(open("st/ff", O_RDWR | O_NONBLOCK));
	}

	symlink("u", "st/sl");
	lchown("st/sl", 1002, 1002);
	OWNER {
		S(lchown("st/sl", -1, -1));
		F(open("st/sl", O_RDONLY));
		S(unlink("st/sl"));
	}
}

static void try_setgid(void)
{
	puts("setgid:");
	directory("sg", 02777, 0, 1003);
	OWNER {
		F(open("sg/f", O_CREAT | O_RDWR, 0666));
		st("sg/f");
		S(mkdir("sg/d", 0755));
		st("sg/d");
		F(open("sg/x", O_CREAT | O_RDWR, 02775));
		st("sg/x");
		S(mknod("sg/n", 02775, 0));
		st("sg/n");
		S(symlink("a", "sg/l"));
		st("sg/l");
		S(chmod("sg/x", 02775));
		st("sg/x");
		S(chmod("sg/d", 0755));
		st("sg/d");
	}
	MEMBER {
		F(open("sg/vx", O_CREAT | O_RDWR, 02775));
		st("sg/vx");
		S(chmod("sg/vx", 02775));
		st("sg/vx");
		S(chmod("sg/vx", 02745));
		st("sg/vx");
		S(mkdir("sg/vd", 0));
		st("sg/vd");
	}
}

static void try_suid_goes(void)
{
	puts("suid goes:");
	file("su", 06777, 1001, 1001);
	MEMBER {
		int f = open("su", O_RDWR);
		S(write(f, "x", 1));
		st("su");
	}
	chmod("su", 06777);
	MEMBER {
		S(truncate("su", 0));
		st("su");
	}
	chmod("su", 06777);
	MEMBER {
		int f = open("su", O_RDWR);
		S(ftruncate(f, 5));
		st("su");
	}
	chmod("su", 06777);
	MEMBER {
		F(open("su", O_RDWR | O_TRUNC));
		st("su");
	}
	chmod("su", 06777);
	chmod("su", 02767);
	MEMBER {
		int f = open("su", O_RDWR);
		S(write(f, "y", 1));
		st("su");
	}
	chmod("su", 06777);
	S(chown("su", 1001, 1001));
	st("su");
	chmod("su", 02767);
	S(chown("su", 1001, 1001));
	st("su");
	chmod("su", 06777);
	OWNER {
		S(chown("su", -1, -1));
		st("su");
	}
	chmod("su", 06777);
	{
		int f = open("su", O_RDWR);
		write(f, "r", 1);
		st("su");
	}
	chmod("su", 06777);
	MEMBER {
		int f = open("su", O_RDWR);
		char *m = mmap(0, 4096, 3, MAP_SHARED, f, 0);
		m[0] = 1;
		munmap(m, 4096);
		close(f);
		st("su");
	}
	directory("sd", 06777, 1001, 1001);
	S(chown("sd", 1001, 1001));
	st("sd");
	MEMBER {
		int f = open("su", O_RDWR);
		int i = open("g2", O_CREAT | O_RDWR, 0600);
		write(i, "q", 1);
		lseek(i, 0, 0);
		copy_file_range(i, 0, f, 0, 1, 0);
		st("su");
	}
}

static void try_umask(void)
{
	puts("umask:");
	umask(0137);
	touch("um", 0);
	st("um");
	mkdir("umd", 0777);
	st("umd");
	mkfifo("umf", 0666);
	st("umf");
	symlink("a", "uml");
	st("uml");
	mknod("umn", S_IFCHR | 0666, makedev(1, 5));
	st("umn");
	S(umask(01777));
	S(umask(0));
	{
		struct {
			uint32_t v;

			struct {
				uint16_t t, p;
				uint32_t i;
			} e[5];
		} acl = { 2, { { 1, 7, -1 }, { 2, 7, 1002 }, { 4, 5, -1 }, { 16, 7, -1 }, { 32, 0, -1 } } };

		directory("ad", 0777, 1001, 1001);
		S(setxattr("ad", "system.posix_acl_default", &acl, 44, 0));
		umask(077);
		OWNER {
			F(open("ad/f", O_CREAT | O_RDWR, 0666));
			st("ad/f");
			mkdir("ad/d", 0777);
			st("ad/d");
			mknod("ad/n", 0666, 0);
			st("ad/n");
		}
		MEMBER {
			F(open("ad/f", O_RDWR));
			F(open("ad/d/x", O_CREAT | O_RDWR, 0640));
			st("ad/d/x");
		}
		AS (1005, 1001, 0) {
			F(open("ad/f", O_RDWR));
			F(open("ad/f", O_RDONLY));
			S(access("ad/d", W_OK));
		}
		umask(0);
	}
}

static void try_devices(void)
{
	puts("devices:");
	S(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	F(open("null", O_RDWR));
	int n = open("null", O_RDWR);
	S(write(n, "x", 1));
	S(read(n, buf, 1));
	S(mknod("zero", S_IFCHR | 0666, makedev(1, 5)));
	n = open("zero", O_RDWR);
	S(read(n, buf, 9));
	S(mknod("full", S_IFCHR | 0666, makedev(1, 7)));
	n = open("full", O_RDWR);
	S(write(n, "x", 1));
	S(mknod("nodev", S_IFCHR | 0666, makedev(77, 3)));
	F(open("nodev", O_RDONLY));
	S(mknod("noblk", S_IFBLK | 0666, makedev(177, 3)));
	F(open("noblk", O_RDONLY));
	st("noblk");
	S(mknod("whiteout", S_IFCHR, 0));
	F(open("whiteout", O_RDONLY));
	OWNER {
		S(mknod("whiteout2", S_IFCHR, 0));
	}
	S(truncate("null", 0));
	F(open("null", O_WRONLY | O_TRUNC | O_CREAT, 0600));
	S(lseek(open("null", O_RDWR), 5, SEEK_SET));
	S(ftruncate(open("null", O_RDWR), 0));
	S(fsync(open("null", O_RDWR)));
	S(mmap(0, 4096, 3, MAP_PRIVATE, open("zero", O_RDWR), 0) == MAP_FAILED);
	S(ioctl(open("null", O_RDWR), TCGETS, buf));
	S(access("null", X_OK));
	S(fallocate(open("null", O_RDWR), 0, 0, 1));
}

static void try_xattr_namespaces(void)
{
	puts("xattr namespaces:");
	touch("xa", 0);
	S(setxattr("xa", "trusted.a", "b", 1, 0));
	S(getxattr("xa", "trusted.a", buf, 9));
	S(listxattr("xa", buf, 100));
	OWNER {
		S(listxattr("xa", buf, 100));
		S(getxattr("xa", "trusted.a", buf, 9));
	}
	{
		int f = open("xa", O_WRONLY);
		write(f, "x", 1);
	}
	directory("xst", 01777, 0, 0);
	OWNER {
		S(setxattr("xst", "user.a", "b", 1, 0));
	}
	directory("xst2", 0777, 0, 0);
	OWNER {
		S(setxattr("xst2", "user.a", "b", 1, 0));
	}
	file("x600", 0600, 0, 0);
	OWNER {
		S(setxattr("x600", "user.a", "b", 1, 0));
		S(getxattr("x600", "user.a", buf, 9));
		S(listxattr("x600", buf, 9));
		S(setxattr("x600", "system.posix_acl_access", "\2\0\0\0", 4, 0));
	}
}

static void try_protected_links(void)
{
	puts("protected links:");
	file("hl", 0600, 0, 0);
	OWNER {
		S(link("hl", "hl2"));
		S(link("suid", "hl3"));
		S(link("nox", "hl4"));
	}
	MEMBER {
		S(link("suid", "hl5"));
	}
}

int main(int argc, char **argv)
{
	umask(0);
	chdir(home = argv[1]);
	chmod(".", 0777);
	try_access();
	try_sticky();
	try_setgid();
	try_suid_goes();
	try_umask();
	try_devices();
	try_xattr_namespaces();
	try_protected_links();
	return 0;
}
