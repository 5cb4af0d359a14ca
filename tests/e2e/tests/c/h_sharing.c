/* What a child or a thread shares: descriptors, the working directory, memory; in the combinations that runtimes use. Takes a
 * directory. Each part prints what it finds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
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

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

static const char *directory;

/* A connected socket of the stack under test, and a file of the tree under test with three bytes in it. */
static void make(int *end, int *peer, int *file)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char path[4096];
	bind(listener, (struct sockaddr *)&name, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&name, &length);
	*end = socket(AF_INET, SOCK_STREAM, 0);
	connect(*end, (struct sockaddr *)&name, length);
	*peer = accept(listener, NULL, NULL);
	close(listener);
	snprintf(path, sizeof(path), "%s/f", directory);
	*file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	write(*file, "abc", 3);
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static const char *what(int fd)
{
	struct stat info;
	if (fstat(fd, &info))
		return strerror(errno);
	return S_ISSOCK(info.st_mode) ? "socket" : S_ISREG(info.st_mode) ? "file" : S_ISCHR(info.st_mode) ? "device" : "other";
}

static volatile int in_memory;

/* What a child does with what it got: closes one, replaces one, makes one. */
static void child(int end, int peer, int file)
{
	char byte = 0;
	write(end, "x", 1);
	read(peer, &byte, 1);
	in_memory = byte;
	close(file);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, peer);
	close(null);
	int made = socket(AF_INET, SOCK_DGRAM, 0);
	dup2(made, 200);
	close(made);
	in_memory += is_open(200);
}

static void parent(const char *name, int end, int peer, int file)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	char got[8] = "";
	errno = 0;
	int bound = bind(200, (struct sockaddr *)&any, sizeof(any));
	printf("%s: %d, %s, %s, 200 is %s, bind %d %s", name, in_memory, what(file), what(peer), what(200), bound,
	       bound ? strerror(errno) : "");
	/* What was closed or replaced is free for others. */
	int again = open("/dev/zero", O_RDONLY);
	printf(", %zd %s\n", read(again, got, 4), what(again));
	(void)end;
	close(again);
	close(200);
	in_memory = 0;
}

static int run_child(void *argument)
{
	int *fds = argument;
	child(fds[0], fds[1], fds[2]);
	_exit(fds[3]);
}

/* By clone3, in a child that copies the memory or has the stack of its parent (CLONE_VFORK). */
static void by_clone3(const char *name, uint64_t flags)
{
	int end, peer, file, status = 0, pidfd = -1;
	make(&end, &peer, &file);
	fflush(stdout);
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)&pidfd };
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0) {
		printf("%s: %s\n", name, strerror(errno));
		return;
	}
	if (!pid) {
		child(end, peer, file);
		_exit(7);
	}
	if (flags & CLONE_PIDFD) {
		struct pollfd both[2] = { { pidfd, POLLIN, 0 }, { end, POLLIN, 0 } };
		printf("%d ", poll(both, 2, 10000));
		printf("%d %d ", both[0].revents, both[1].revents);
		close(pidfd);
	}
	waitpid(pid, &status, 0);
	printf("%d ", WEXITSTATUS(status));
	parent(name, end, peer, file);
	close(end), close(peer), close(file);
}

static void by_clone(const char *name, int flags)
{
	int end, peer, file, status = 0;
	make(&end, &peer, &file);
	fflush(stdout);
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[4] = { end, peer, file, 9 };
	int pid = clone(run_child, stack + 65536, flags | SIGCHLD, fds);
	waitpid(pid, &status, 0);
	printf("%d ", WEXITSTATUS(status));
	parent(name, end, peer, file);
	close(end), close(peer), close(file);
	munmap(stack, 65536);
}

static pthread_barrier_t barrier;
static int shared_fds[3];

static void *with_own_descriptors(void *how)
{
	if (!strcmp(how, "unshare"))
		unshare(CLONE_FILES);
	else
		syscall(SYS_close_range, 900, 950, 2 /* CLOSE_RANGE_UNSHARE */);
	child(shared_fds[0], shared_fds[1], shared_fds[2]);
	printf("thread: %s %s %s; ", what(shared_fds[2]), what(shared_fds[1]), what(200));
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void by_thread(const char *how)
{
	pthread_t thread;
	make(&shared_fds[0], &shared_fds[1], &shared_fds[2]);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, with_own_descriptors, (void *)how);
	pthread_barrier_wait(&barrier);
	parent(how, shared_fds[0], shared_fds[1], shared_fds[2]);
	char got = 0;
	write(shared_fds[0], "y", 1);
	ssize_t length = read(shared_fds[1], &got, 1);
	printf("%zd %c\n", length, got);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}

static void handler(int signal)
{
	(void)signal;
}

/* Signal handlers back to their defaults, refused flags, a number of one's own choice. */
static void errors(void)
{
	signal(SIGUSR1, handler);
	struct clone_args args = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	int status = 0;
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid) {
		raise(SIGUSR1);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	printf("cleared: %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	args = (struct clone_args){ .flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD };
	pid = syscall(SYS_clone3, &args, sizeof(args));
	printf("both: %ld %d\n", pid, errno);
	args = (struct clone_args){ .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = 9999 };
	pid = syscall(SYS_clone3, &args, sizeof(args));
	printf("cgroup: %ld %d\n", pid, errno);
	pid_t wanted[40] = { 1 };
	args = (struct clone_args){ .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)wanted, .set_tid_size = 40 };
	pid = syscall(SYS_clone3, &args, sizeof(args));
	printf("set_tid: %ld %d\n", pid, errno);
	pid = syscall(SYS_clone3, &args, 8);
	printf("short: %ld %d\n", pid, errno);
	uint64_t longer[16] = { [4] = SIGCHLD, [15] = 1 };
	pid = syscall(SYS_clone3, longer, sizeof(longer));
	printf("unknown: %ld %d\n", pid, errno);
	longer[15] = 0;
	pid = syscall(SYS_clone3, longer, sizeof(longer));
	if (!pid)
		_exit(3);
	waitpid(pid, &status, 0);
	printf("longer: %d\n", WEXITSTATUS(status));
	pid = syscall(SYS_clone3, 8, sizeof(args));
	printf("fault: %ld %d\n", pid, errno);
	printf("unshare: %d\n", unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM));
}

int main(int argc, char **argv)
{
	directory = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 4096);
	(void)argc;
	by_clone3("copy", 0);
	by_clone3("pidfd", CLONE_PIDFD);
	by_clone3("parent's tid", CLONE_PIDFD | CLONE_CLEAR_SIGHAND);
	by_clone("vfork", CLONE_VM | CLONE_VFORK);
	by_clone("memory alone", CLONE_VM);
	by_clone("fs", CLONE_FS);
	by_clone("as a thread's", CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND);
	errors();
	by_clone("files alone", CLONE_FILES);
	by_clone3("files alone, clone3", CLONE_FILES | CLONE_FS);
	by_clone("vfork, files", CLONE_VM | CLONE_VFORK | CLONE_FILES);
	by_thread("unshare");
	by_thread("close_range");
	return 0;
}
