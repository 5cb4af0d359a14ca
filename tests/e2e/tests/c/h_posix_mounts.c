/* Mounts, chroot(2), pivot_root(2). Run by root, natively in a mount namespace of its own. */
#include "posix.h"

static char buf[8192], root[500];
static struct statfs s;
static int f, i, od;

/* How a list of mounts shows the one on this name of the working directory, without numbers. */
static void shown(const char *list, const char *name)
{
	char line[4096], path[600], shows[200], point[600], options[200];
	int parent = strstr(list, "mountinfo") != NULL, rest;
	FILE *lines = fopen(list, "r");
	snprintf(path, sizeof path, "%s/%s", root, name);
	while (lines && fgets(line, sizeof line, lines)) {
		if (parent)
			sscanf(line, "%*s %*s %*s %199s %599s %199s %n", shows, point, options, &rest);
		else
			sscanf(line, "%*s %599s %n", point, &rest);
		if (strcmp(point, path))
			continue;
		printf("  %s: %s", name, line + rest);
		if (parent)
			printf("  %s, %s\n", strcmp(shows, "/") ? "a part" : "all", options);
	}
	fclose(lines);
	fflush(stdout);
}

/* A path of the kernel whose files are tried. */
static const char *path_of(const char *path)
{
	static char text[100];
	const char *prefix = strncmp(root, "/rump", 5) ? "" : "/rump";
	snprintf(text, sizeof text, "%s%s", prefix, *prefix && !strcmp(path, "/") ? "" : path);
	return text;
}

/* The working directory as that kernel has it. */
static void here(void)
{
	if (syscall(SYS_getcwd, buf, sizeof buf) < 0)
		strcpy(buf, "none");
	printf("  in %.13s\n", strncmp(buf, "/rump", 5) ? buf : buf[5] ? buf + 5 : "/");
}

static void try_mount(void)
{
	puts("mount:");
	S(mount("none", "m", "tmpfs", 0, "size=1m,mode=750,nr_inodes=20,uid=5,gid=6"));
	st("m");
	statfs("m", &s);
	printf("%lx %ld %ld %ld %lx\n", (long)s.f_type, (long)(s.f_blocks * s.f_bsize), (long)s.f_files,
	    (long)s.f_ffree, (long)s.f_flags);
	shown("/proc/self/mounts", "m");
	shown("/proc/self/mountinfo", "m");
	f = open("m/big", O_CREAT | O_RDWR, 0600);
	memset(buf, 'x', sizeof buf);
	long w = 0, r;
	while ((r = write(f, buf, sizeof buf)) > 0)
		w += r;
	printf("wrote %ld %s\n", w, strerrorname_np(errno));
	S(fallocate(f, 0, 0, 2 << 20));
	S(ftruncate(f, 2 << 20));
	S(pwrite(f, "x", 1, (2 << 20) - 1));
	S(ftruncate(f, 0));
	S(write(f, buf, 100) >= 0);
	for (i = 0; i < 30; i++) {
		sprintf(buf, "m/n%d", i);
		int q = open(buf, O_CREAT | O_RDWR, 0600);
		if (q < 0)
			break;
		close(q);
	}
	printf("made %d %s\n", i, strerrorname_np(errno));
	S(mkdir("m/dd", 0700));
	S(symlink("a", "m/ss"));
	S(link("m/n0", "m/hl"));
	statfs("m", &s);
	printf("%ld\n", (long)s.f_ffree);
	S(umount("m"));
	close(f);
	S(umount2("m", MNT_DETACH | UMOUNT_NOFOLLOW));
	st("m");
	S(umount("m"));
	S(umount("none"));
	S(umount("file"));
	S(umount2("m", 0x100));
	S(umount2("m", MNT_EXPIRE));
}

static void try_errors(void)
{
	puts("errors:");
	S(mount("none", "m", "nosuchfs", 0, 0));
	S(mount("none", "none", "tmpfs", 0, 0));
	S(mount("none", "file", "tmpfs", 0, 0));
	S(mount("none", "m", "tmpfs", 0, "size=abc"));
	S(mount("none", "m", "tmpfs", 0, "nosuch=1"));
	S(mount("none", "m", "tmpfs", 0, "size=50%"));
	S(umount("m"));
	S(mount("nodev", "m", "ext4", 0, 0));
	S(mount("file", "m", "ext4", 0, 0));
	S(mount("none", "m", 0, 0, 0));
	S(mount(0, "m", "tmpfs", 0, 0));
	S(umount("m"));
	S(mount("", "m", "tmpfs", 0, 0));
	S(umount("m"));
}

static void try_ro_remount(void)
{
	puts("ro remount:");
	S(mount("x", "m", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, 0));
	shown("/proc/self/mounts", "m");
	touch("m/f", "#!/bin/sh\n");
	chmod("m/f", 0755);
	S(access("m/f", X_OK));
	CHILD {
		S(execl("m/f", "f", NULL));
	}
	mknod("m/null", S_IFCHR | 0666, makedev(1, 3));
	F(open("m/null", O_RDONLY));
	S(mount(0, "m", 0, MS_REMOUNT | MS_RDONLY, 0));
	shown("/proc/self/mounts", "m");
	S(mkdir("m/x", 0));
	S(access("m/f", W_OK));
	F(open("m/f", O_RDWR));
	F(open("m/f", O_RDONLY | O_CREAT, 0600));
	F(open("m/new", O_CREAT | O_RDWR, 0600));
	S(chmod("m/f", 0));
	S(unlink("m/f"));
	S(unlink("m/none"));
	S(mkdir("m/f", 0));
	S(rename("m/f", "m/g"));
	S(link("m/f", "m/g"));
	S(symlink("a", "m/s"));
	S(utimensat(AT_FDCWD, "m/f", 0, 0));
	S(truncate("m/f", 0));
	S(setxattr("m/f", "user.a", "b", 1, 0));
	S(removexattr("m/f", "user.a"));
	S(mknod("m/p", S_IFIFO | 0600, 0));
	S(rmdir("m/f"));
	F(open("m", O_TMPFILE | O_RDWR, 0600));
	S(chown("m/f", 0, 0));
	S(mount(0, "m", 0, MS_REMOUNT, "size=2m"));
	shown("/proc/self/mounts", "m");
	f = open("m/f", O_RDWR);
	S(mount(0, "m", 0, MS_REMOUNT | MS_RDONLY, 0));
	S(mount(0, "m", 0, MS_REMOUNT | MS_RDONLY | MS_BIND, 0));
	close(f);
	S(mount(0, "m", 0, MS_REMOUNT | MS_RDONLY | MS_BIND, 0));
	shown("/proc/self/mountinfo", "m");
	S(mkdir("m/y", 0));
	S(mount(0, "m", 0, MS_REMOUNT | MS_BIND | MS_NOATIME, 0));
	shown("/proc/self/mountinfo", "m");
	S(mount(0, "b", 0, MS_REMOUNT, 0));
}

static void try_atime(void)
{
	puts("atime:");
	for (i = 0; i < 3; i++) {
		long fl[] = { MS_NOATIME, MS_STRICTATIME, MS_RELATIME };
		S(mount(0, "m", 0, MS_REMOUNT | MS_BIND | fl[i], 0));
		touch("m/at", "data");
		struct timespec t[2] = { { 1000, 0 }, { 500, 0 } };
		utimensat(AT_FDCWD, "m/at", t, 0);
		int q = open("m/at", O_RDONLY);
		struct stat st;
		read(q, buf, 1);
		stat("m/at", &st);
		printf("recent %d\n", st.st_atime > 2000);
		t[0].tv_sec = time(0) - 100;
		utimensat(AT_FDCWD, "m/at", t, 0);
		read(q, buf, 1);
		stat("m/at", &st);
		printf("recent %d\n", time(0) - st.st_atime < 50);
		t[0].tv_sec = 400;
		utimensat(AT_FDCWD, "m/at", t, 0);
		read(q, buf, 1);
		stat("m/at", &st);
		printf("recent %d\n", time(0) - st.st_atime < 50);
		close(q);
	}
	S(mount(0, "m", 0, MS_REMOUNT | MS_BIND | MS_NODIRATIME, 0));
	shown("/proc/self/mountinfo", "m");
}

static void try_bind(void)
{
	puts("bind:");
	mkdir("m/sub", 0755);
	touch("m/sub/in", "i");
	S(mount("m/sub", "b", 0, MS_BIND, 0));
	st("b/in");
	st("b/below");
	shown("/proc/self/mountinfo", "b");
	S(rename("b/in", "m/in2"));
	S(link("b/in", "m/in2"));
	S(mount(0, "b", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
	touch("b/no", 0);
	touch("m/sub/yes", 0);
	st("b/yes");
	S(mount("b", "b", "x", MS_BIND | MS_REC, 0));
	S(umount("b"));
	S(umount("b"));
	st("b/below");
	S(mount("file", "m/f", 0, MS_BIND, 0));
	st("m/f");
	S(unlink("m/f"));
	S(rename("m/f", "m/ff"));
	S(umount("m/f"));
	S(mount("file", "m", 0, MS_BIND, 0));
	S(mount("m", "file", 0, MS_BIND, 0));
	S(mount("none", "m", 0, MS_BIND, 0));
	S(rmdir("m"));
	S(rename("m", "mm"));
	S(mount("m", "b", 0, MS_BIND, 0));
	S(mount("t", "m/sub", "tmpfs", 0, 0));
	st("b/sub/yes");
	S(umount("m"));
	S(umount("m/sub"));
	S(umount("b"));
	mkdir("m/deep", 0755);
	S(mount("t", "m/deep", "tmpfs", 0, 0));
	touch("m/deep/x", 0);
	S(mount("m", "b", 0, MS_BIND, 0));
	st("b/deep/x");
	S(umount("b"));
	S(mount("m", "b", 0, MS_BIND | MS_REC, 0));
	st("b/deep/x");
	S(umount("b"));
	S(umount2("b", MNT_DETACH));
	S(umount("m/deep"));
}

static void try_move(void)
{
	puts("move:");
	S(mount("m", "b", 0, MS_MOVE, 0));
	st("b/sub");
	st("m/sub");
	S(mount("m", "b", 0, MS_MOVE, 0));
	S(mount("b", "b/sub", 0, MS_MOVE, 0));
	S(mount("b", "file", 0, MS_MOVE, 0));
	S(mount("b", "m", 0, MS_MOVE, 0));
	S(mount(0, "m", 0, MS_PRIVATE, 0));
	S(mount(0, "b", 0, MS_PRIVATE, 0));
	S(mount(0, "m", 0, MS_PRIVATE | MS_RDONLY, 0));
	S(mount(0, "m", 0, MS_PRIVATE | MS_SLAVE, 0));
}

static void try_new_api(void)
{
	puts("new api:");
	int fs = syscall(SYS_fsopen, "tmpfs", 0);
	answered("fsopen", fs < 0 ? -1 : 0);
	S(syscall(SYS_fsconfig, fs, 1, "size", "2m", 0));
	S(syscall(SYS_fsconfig, fs, 1, "bogus", "2m", 0));
	S(syscall(SYS_fsconfig, fs, 6, 0, 0, 0));
	int mf = syscall(SYS_fsmount, fs, 0, 0x8);
	answered("fsmount", mf < 0 ? -1 : 0);
	S(syscall(SYS_move_mount, mf, "", AT_FDCWD, "b", 4));
	shown("/proc/self/mountinfo", "b");
	S(fchdir(mf));
	S(chdir(root));
	int ot = syscall(SYS_open_tree, AT_FDCWD, "b", 1 | O_CLOEXEC);
	answered("open_tree", ot < 0 ? -1 : 0);

	struct {
		uint64_t set, clr, prop, ns;
	} ma = { 1 };

	S(syscall(SYS_mount_setattr, ot, "", AT_EMPTY_PATH, &ma, sizeof ma));
	F(openat(ot, "x", O_CREAT | O_RDWR, 0600));
	close(ot);
	S(umount("b"));
	S(syscall(SYS_fsopen, "nosuch", 0));
	S(syscall(SYS_mount_setattr, AT_FDCWD, "m", 0, &ma, 8));
	S(syscall(SYS_mount_setattr, AT_FDCWD, "b", 0, &ma, 32));
}

static void try_chroot(void)
{
	puts("chroot:");
	mkdir("jail", 0755);
	mkdir("jail/sub", 0755);
	touch("jail/inside", "i");
	symlink("/inside", "jail/abs");
	symlink("../../../inside", "jail/up");
	od = open(".", O_RDONLY);
	CHILD {
		S(chroot("jail/inside"));
		S(chroot("none"));
		S(chroot("jail"));
		st("file");
		S(chdir(path_of("/")));
		st("inside");
		st("abs");
		F(open("abs", O_RDONLY));
		F(open("up", O_RDONLY));
		F(open(path_of("/../../inside"), O_RDONLY));
		here();
		S(chdir("sub"));
		here();
		S(chdir("../../.."));
		here();
		st("inside");
		S(fchdir(od));
		here();
		st("file");
		S(access(path_of("/file"), 0));
		F(openat(od, "file", O_RDONLY));
		S(chdir(".."));
		S(chroot("."));
	}
	st("file");
	CHILD {
		S(chroot("jail"));
		S(chdir(path_of("/")));
		S(setuid(1001));
		S(chroot("sub"));
		F(open(path_of("/inside"), O_RDONLY));
	}
}

static void try_pivot_root(void)
{
	puts("pivot root:");
	CHILD {
		S(mount("x", "m", "tmpfs", 0, 0));
		S(mkdir("m/old", 0755));
		touch("m/mark", 0);
		S(syscall(SYS_pivot_root, "m/old", "m"));
		S(syscall(SYS_pivot_root, "b", "b"));
		S(syscall(SYS_pivot_root, "file", "file"));
		S(syscall(SYS_pivot_root, "none", "none"));
	}
}

int main(int argc, char **argv)
{
	umask(022);
	chdir(argv[1]);
	strcpy(root, argv[1]);
	mkdir("m", 0755);
	mkdir("b", 0755);
	touch("b/below", "x");
	touch("file", "f");
	try_mount();
	try_errors();
	try_ro_remount();
	try_atime();
	try_bind();
	try_move();
	try_new_api();
	try_chroot();
	try_pivot_root();
	while (!umount2("m", MNT_DETACH) || !umount2("b", MNT_DETACH))
		;
	return 0;
}
