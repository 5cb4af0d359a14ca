/* Calls of the file tree and what they answered, line by line, with the call itself as it is written in the program. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

static inline void answered(const char *call, long value)
{
	int error = errno;
	printf("%s: %ld %s\n", call, value, value == -1 ? strerrorname_np(error) : "");
	fflush(stdout);
}

/* What a call answered. */
#define S(call) (errno = 0, answered(#call, (long)(call)))

/* Whether a call answered a descriptor, which is closed. */
#define F(call)                                                                                                       \
	do {                                                                                                          \
		errno = 0;                                                                                            \
		int made = (call), error = errno;                                                                     \
		if (made >= 0)                                                                                        \
			close(made);                                                                                  \
		errno = error;                                                                                        \
		answered(#call, made < 0 ? -1 : 0);                                                                   \
	} while (0)

/* Answers 1 in a new process; in the calling one 0, when the other has ended. */
static inline int in_child(void)
{
	int status;
	fflush(stdout);
	pid_t child = fork();
	if (!child)
		return 1;
	waitpid(child, &status, 0);
	if (status)
		printf("child: %x\n", status);
	return 0;
}

static inline int leave(void)
{
	fflush(stdout);
	_exit(0);
}

/* What follows is done in a process of its own. */
#define CHILD for (int in = in_child(); in; leave())

/* A file with this in it. */
static inline void touch(const char *name, const char *data)
{
	int made = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (made < 0 || (data && write(made, data, strlen(data)) < 0))
		printf("%s: %s\n", name, strerrorname_np(errno));
	close(made);
}

/* What is there, without what is the file system's own affair. */
static inline void st(const char *name)
{
	struct stat is;
	if (lstat(name, &is)) {
		printf("  %s: %s\n", name, strerrorname_np(errno));
		return;
	}
	int directory = S_ISDIR(is.st_mode);
	printf("  %s: mode %o, %d links, %ld bytes, of %d:%d, device %lx\n", name, is.st_mode,
	    directory ? 0 : (int)is.st_nlink, directory ? 0 : (long)is.st_size, is.st_uid, is.st_gid, (long)is.st_rdev);
}
