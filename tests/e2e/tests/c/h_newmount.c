/*
 * The calls that mount(8) of util-linux 2.39 and later uses. The argument is an empty directory; all is told by numbers.
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct attr {
	uint64_t set, clear, propagation, userns;
};

#define ATTR_RDONLY 1
#define ATTR_NOSUID 2
#define ATTR_NODEV 4
#define ATTR_NOEXEC 8
#define ATTR_NOATIME 0x10
#define ATTR_ATIME 0x70
#define CLONE 1
#define RECURSIVE 0x8000
#define EMPTY 0x1000

static void tell(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: ok\n", what);
}

static int fsopen_(const char *type, unsigned flags) { return syscall(SYS_fsopen, type, flags); }
static int config(int fd, unsigned cmd, const char *key, const char *value) { return syscall(SYS_fsconfig, fd, cmd, key, value, 0); }
static int fsmount_(int fd, unsigned attr) { return syscall(SYS_fsmount, fd, 1, attr); }
static int move(int from, const char *from_path, const char *to, unsigned flags) { return syscall(SYS_move_mount, from, from_path, AT_FDCWD, to, flags); }
static int tree(int dir, const char *path, unsigned flags) { return syscall(SYS_open_tree, dir, path, flags); }
static int setattr(int dir, const char *path, unsigned flags, struct attr *attr) { return syscall(SYS_mount_setattr, dir, path, flags, attr, sizeof(*attr)); }

static char dir[4096];

static const char *in(const char *name)
{
	static char paths[4][8192];
	static int at;
	char *path = paths[at++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void flags(const char *what, const char *path)
{
	struct statvfs vfs;

	if (statvfs(path, &vfs) != 0)
		tell(what, -1);
	else
		printf("%s: flags %lx\n", what, vfs.f_flag & 0x2fff & ~0x1000UL);
}

static void touch(const char *what, int at, const char *path)
{
	int fd = openat(at, path, O_CREAT | O_WRONLY, 0600);

	tell(what, fd);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct attr attr = { 0 };
	struct stat st;
	char text[256];
	int context, mount, copy, fd, keep;
	ssize_t len;

	snprintf(dir, sizeof(dir), "%s", argv[argc - 1]);
	mkdir(in("a"), 0755);
	mkdir(in("b"), 0755);

	tell("fsopen of no type", fsopen_("nosuchfs", 0));
	tell("fsopen flags", fsopen_("tmpfs", 2));
	context = fsopen_("tmpfs", 1);
	tell("fsopen", context);
	printf("cloexec %d\n", fcntl(context, F_GETFD));
	tell("mount too early", fsmount_(context, 0));
	tell("set source", config(context, 1, "source", "the source"));
	tell("set mode", config(context, 1, "mode", "0711"));
	tell("set size", config(context, 1, "size", "1m"));
	tell("flag without key", config(context, 0, NULL, NULL));
	tell("no such command", config(context, 99, "x", "y"));
	tell("bytes without a length", config(context, 2, "mode", "0711"));
	tell("a path without a key", config(context, 3, NULL, "y"));
	tell("a descriptor with a value", config(context, 5, "x", "y"));
	tell("reconfigure too early", config(context, 7, NULL, NULL));
	tell("create", config(context, 6, NULL, NULL));
	tell("create twice", config(context, 6, NULL, NULL));
	tell("set too late", config(context, 1, "size", "2m"));
	tell("mount attributes", fsmount_(context, 0x8000));
	mount = fsmount_(context, ATTR_NOSUID | ATTR_NOATIME);
	tell("fsmount", mount);
	tell("fsmount twice", fsmount_(context, 0));
	fstat(mount, &st);
	printf("root: mode %o\n", st.st_mode);
	touch("file before it is anywhere", mount, "early");
	tell("move", move(mount, "", in("a"), 4));
	tell("move twice", move(mount, "", in("a"), 0));
	tell("seen", access(in("a/early"), F_OK));
	flags("a", in("a"));
	tell("flag ro", config(context, 0, "ro", NULL));
	tell("reconfigure", config(context, 7, NULL, NULL));
	touch("file in what is read-only", AT_FDCWD, in("a/ro"));
	close(context);

	context = syscall(SYS_fspick, AT_FDCWD, in("a"), 1);
	tell("fspick", context);
	tell("fspick of no mount", syscall(SYS_fspick, AT_FDCWD, in("b"), 0));
	tell("flag rw", config(context, 0, "rw", NULL));
	tell("reconfigure", config(context, 7, NULL, NULL));
	touch("file again", AT_FDCWD, in("a/rw"));
	len = read(context, text, sizeof(text));
	tell("no message", len);
	close(context);
	context = fsopen_("tmpfs", 0);
	tell("unknown option", config(context, 1, "nosuch", "x") < 0 ? -1 : config(context, 6, NULL, NULL));
	close(context);

	mkdir(in("a/sub"), 0755);
	context = fsopen_("tmpfs", 0);
	config(context, 6, NULL, NULL);
	tell("move into it", move(fsmount_(context, 0), "", in("a/sub"), 4));
	close(context);
	touch("file below", AT_FDCWD, in("a/sub/deep"));

	tell("recursive without clone", tree(AT_FDCWD, in("a"), RECURSIVE));
	fd = tree(AT_FDCWD, in("a"), O_CLOEXEC);
	tell("open_tree", fd);
	tell("as a directory", faccessat(fd, "early", F_OK, 0));
	close(fd);
	copy = tree(AT_FDCWD, in("a"), CLONE | O_CLOEXEC);
	tell("clone", copy);
	tell("clone lacks what is below", faccessat(copy, "sub/deep", F_OK, 0));
	close(copy);
	copy = tree(AT_FDCWD, in("a"), CLONE | RECURSIVE | O_CLOEXEC);
	tell("clone with what is below", faccessat(copy, "sub/deep", F_OK, 0));
	attr.set = ATTR_RDONLY | ATTR_NODEV;
	tell("setattr of the copy", setattr(copy, "", EMPTY | RECURSIVE, &attr));
	tell("move the copy", move(copy, "", in("b"), 4));
	flags("b", in("b"));
	flags("b/sub", in("b/sub"));
	flags("a stays", in("a"));
	touch("file in b", AT_FDCWD, in("b/sub/no"));
	touch("file in a", AT_FDCWD, in("a/sub/yes"));
	tell("seen in both", access(in("b/sub/yes"), F_OK));

	attr = (struct attr){ .clear = ATTR_RDONLY };
	tell("writable again", setattr(AT_FDCWD, in("b"), RECURSIVE, &attr));
	keep = open(in("b/sub/kept"), O_CREAT | O_WRONLY, 0600);
	attr = (struct attr){ .set = ATTR_RDONLY };
	tell("busy", setattr(AT_FDCWD, in("b"), RECURSIVE, &attr));
	flags("b", in("b"));
	close(keep);
	attr = (struct attr){ .set = ATTR_NOATIME };
	tell("atime without clearing", setattr(AT_FDCWD, in("b"), 0, &attr));
	attr = (struct attr){ .set = ATTR_NOEXEC, .clear = ATTR_ATIME };
	tell("atime", setattr(AT_FDCWD, in("b"), 0, &attr));
	flags("b", in("b"));
	tell("no mount", setattr(AT_FDCWD, in("b/sub/kept"), 0, &attr));
	attr = (struct attr){ 0 };
	tell("nothing", setattr(AT_FDCWD, in("b/sub/kept"), 0, &attr));
	tell("bad size", syscall(SYS_mount_setattr, AT_FDCWD, in("b"), 0, &attr, 8));
	tell("bad flags", setattr(AT_FDCWD, in("b"), 1, &attr));

	mkdir(in("c"), 0755);
	tell("move what is there", move(AT_FDCWD, in("b"), in("c"), 0));
	tell("gone from b", access(in("b/early"), F_OK));
	tell("there in c", access(in("c/sub/deep"), F_OK));
	tell("into itself", move(AT_FDCWD, in("c"), in("c/sub"), 0));
	tell("move no mount", move(AT_FDCWD, in("b"), in("a"), 0));
	fd = open(in("file"), O_CREAT | O_RDWR, 0644);
	close(fd);
	copy = tree(AT_FDCWD, in("a/early"), CLONE);
	tell("clone of a file", copy);
	tell("file on a directory", move(copy, "", in("b"), 4));
	tell("file on a file", move(copy, "", in("file"), 4));
	close(copy);
	fd = open(in("file"), O_WRONLY);
	tell("written through it", write(fd, "text", 4));
	close(fd);
	stat(in("a/early"), &st);
	printf("%d bytes\n", (int)st.st_size);
	return 0;
}
