/*
 * Children of clone(2) and clone3(2) with each set of flags that share something or not: h_clone DIRECTORY. Each opens, copies and closes
 * descriptors and goes elsewhere; then the parent says what of it it sees. Prints what a native run prints.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK (256 << 10)

static char *directory;
static int kept, closed, goes;
static volatile int in_memory;
static struct shared { volatile int failed; volatile int done; } *shared;
static char path[4096];

static const char *in_directory(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int child(void *arg)
{
	(void)arg;
	in_memory = 1;
	int fd = open("made", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, "child", 5) != 5)
		shared->failed |= 1;
	if (dup2(fd, 100) != 100)
		shared->failed |= 2;
	if (write(kept, "k", 1) != 1)
		shared->failed |= 4;
	if (close(closed))
		shared->failed |= 8;
	if (goes && chdir("below"))
		shared->failed |= 16;
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(s, (void *)&at, sizeof(at)))
		shared->failed |= 32;
	if (dup2(s, 101) != 101)
		shared->failed |= 64;
	char cwd[4096];
	if (!getcwd(cwd, sizeof(cwd)) || !strstr(cwd, goes ? "below" : "/"))
		shared->failed |= 128;
	if (umask(022) != 077)
		shared->failed |= 256;
	shared->done = 1;
	_exit(0);
}

static const char *is_open(int fd)
{
	struct stat info;
	if (fstat(fd, &info))
		return "closed";
	return S_ISREG(info.st_mode) ? "file" : S_ISSOCK(info.st_mode) ? "socket" : "other";
}

static const struct { unsigned long long flag; const char *name; } flags_of[] = {
	{ CLONE_VM, "VM" }, { CLONE_FILES, "FILES" }, { CLONE_FS, "FS" }, { CLONE_VFORK, "VFORK" }, { CLONE_SIGHAND, "SIGHAND" },
	{ CLONE_PARENT_SETTID, "PARENT_SETTID" }, { CLONE_CHILD_CLEARTID, "CHILD_CLEARTID" }, { CLONE_PIDFD, "PIDFD" },
	{ CLONE_IO, "IO" }, { CLONE_UNTRACED, "UNTRACED" }, { CLONE_CLEAR_SIGHAND, "CLEAR_SIGHAND" }, { CLONE_SYSVSEM, "SYSVSEM" },
};

static char *stack;

/* clone3(2) has no wrapper; without CLONE_VM the child goes on behind the call. */
static int start3(unsigned long long flags, int *pidfd, int *tid)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD, .pidfd = (uint64_t)pidfd, .parent_tid = (uint64_t)tid, .child_tid = (uint64_t)tid };
	int pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(NULL);
	return pid;
}

static void check(unsigned long long flags, int three)
{
	char line[512] = "";
	int pidfd = -1, tid = 0, ctid = 0, status = -1;
	for (size_t i = 0; i < sizeof(flags_of) / sizeof(*flags_of); i++)
		if (flags & flags_of[i].flag)
			strcat(strcat(line, " "), flags_of[i].name);
	if (chdir(directory))
		perror("chdir");
	umask(077);
	unlink("made");
	kept = open("kept", O_RDWR | O_CREAT | O_TRUNC, 0600);
	closed = open("closed", O_RDWR | O_CREAT | O_TRUNC, 0600);
	in_memory = 0;
	/* A working directory that goes another way than the descriptors is not told of (docs/LIMITATIONS.md). */
	goes = !(flags & CLONE_FS) == !(flags & CLONE_FILES) && !(flags & CLONE_FS && flags & CLONE_VFORK);
	memset(shared, 0, sizeof(*shared));
	fflush(stdout);
	int pid = three ? start3(flags, &pidfd, &tid)
		: clone(child, stack + STACK, (int)flags | SIGCHLD, NULL, flags & CLONE_PIDFD ? &pidfd : &tid, NULL, &ctid);
	if (pid < 0) {
		printf("%s%s: %s\n", three ? "3" : "", line, strerrorname_np(errno));
		goto out;
	}
	if (waitpid(pid, &status, 0) != pid)
		printf("waitpid: %s\n", strerrorname_np(errno));
	char cwd[4096], text[16] = "";
	lseek(kept, 0, SEEK_SET);
	ssize_t got = read(kept, text, sizeof(text) - 1);
	int mask = umask(077);
	printf("%s%s: status %#x, failed %d, memory %d, done %d; parent: 100 %s, 101 %s, closed %s, kept %s (%zd), cwd %s, mask %o, pidfd %d, tid %d\n", three ? "3" : "", line, status,
		shared->failed, in_memory, shared->done, is_open(100), is_open(101), is_open(closed), is_open(kept), got,
		strstr(getcwd(cwd, sizeof(cwd)) ? cwd : "", "below") ? "below" : "above", mask, pidfd >= 0, tid == pid);
	struct stat info;
	printf("made: %d\n", stat(in_directory("made"), &info) == 0 && info.st_size == 5);
out:
	/* What the parent closes by number. */
	for (int fd = 3; fd < 220; fd++)
		close(fd);
}

int main(int argc, char **argv)
{
	directory = argv[1];
	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mkdir(in_directory("below"), 0700);
	for (int set = 0; set < 16; set++) {
		unsigned long long flags = 0;
		for (int bit = 0; bit < 4; bit++)
			if (set >> bit & 1)
				flags |= flags_of[bit].flag;
		check(flags, 0);
		if (!(flags & CLONE_VM))
			check(flags, 1);
	}
	check(CLONE_VM | CLONE_SIGHAND, 0);
	check(CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS, 0);
	check(CLONE_PARENT_SETTID, 0);
	check(CLONE_PARENT_SETTID | CLONE_PIDFD, 1);
	check(CLONE_PIDFD | CLONE_CLEAR_SIGHAND, 1);
	check(CLONE_PIDFD, 0);
	check(CLONE_IO | CLONE_UNTRACED, 0);
	check(CLONE_CHILD_CLEARTID | CLONE_SYSVSEM, 0);
	check(CLONE_SIGHAND, 0);
	return 0;
}
