/* Numbers of descriptors: h_numbers DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

#define CLOEXEC 4
#define UNSHARE 2

static int file(const char *text)
{
	int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644);
	write(fd, text, strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void show(const char *what, int fd)
{
	char text[16] = "";
	ssize_t got = read(fd, text, 15);
	printf("%s: %zd \"%s\" %s\n", what, got, text, got == -1 ? strerror(errno) : "");
}

static void ranges(void)
{
	int fd = file("range"), high = fcntl(fd, F_DUPFD, 500);
	say("close_range CLOEXEC", syscall(SYS_close_range, fd, high, CLOEXEC));
	say("flag", fcntl(fd, F_GETFD));
	say("flag", fcntl(high, F_GETFD));
	say("open", lseek(high, 0, SEEK_CUR));
	say("bad flags", syscall(SYS_close_range, fd, high, 64));
	say("bad range", syscall(SYS_close_range, high, fd, 0));
	fflush(stdout);
	if (fork() == 0) {
		say("unshared", syscall(SYS_close_range, 3, ~0U, UNSHARE));
		show("closed there", high);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	show("open here", high);
	say("dup3 onto itself", dup3(fd, fd, 0));
	say("dup3 of nothing", dup3(999, 600, 0));
	say("dup3", dup3(fd, 600, O_CLOEXEC));
	say("flag", fcntl(600, F_GETFD));
	say("dup2 onto itself", dup2(fd, fd) == fd);
	say("dup2 out of range", dup2(fd, -1));
	close(600), close(fd), close(high);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	long closed = 0;
	for (int number = 3; number < 65535; number++)
		closed += close(number) == 0;
	say("closed by a loop", closed > 5);
	fd = file("after");
	show("after the loop", fd);
	close(fd);
}

static int child_of_clone(void *fd)
{
	close(*(int *)fd);
	return 0;
}

static void shared_table(void)
{
	static char stack[65536];
	int fd = file("shared"), pidfd = 0;
	int child = clone(child_of_clone, stack + sizeof(stack), CLONE_FILES | SIGCHLD, &fd);
	waitpid(child, NULL, 0);
	show("closed by CLONE_FILES", fd);
	(void)pidfd;
}

static void of_another_process(void)
{
	int fd = file("another"), ready[2];
	char byte;
	pipe(ready);
	int child = fork();
	if (child == 0) {
		prctl(PR_SET_DUMPABLE, 1);
		int mine = socket(AF_INET, SOCK_DGRAM, 0);
		struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(7777) };
		bind(mine, (struct sockaddr *)&address, sizeof(address));
		dup2(mine, 700);
		write(ready[1], "x", 1);
		pause();
	}
	read(ready[0], &byte, 1);
	int process = syscall(SYS_pidfd_open, child, 0), got = syscall(SYS_pidfd_getfd, process, 700, 0);
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof(address);
	say("pidfd_getfd", got == -1 ? -1 : 0);
	say("flag", fcntl(got, F_GETFD));
	say("getsockname", getsockname(got, (struct sockaddr *)&address, &length));
	say("port", ntohs(address.sin_port));
	say("not there", syscall(SYS_pidfd_getfd, process, 999, 0));
	kill(child, SIGKILL);
	wait(NULL);
	int copy = dup(fd), again = open("file", O_RDWR);
	say("kcmp of a copy", syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, copy));
	say("kcmp of another", syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, again) != 0);
	close(fd), close(copy), close(again), close(got), close(process);
}

/* SCM_RIGHTS to a name of a datagram socket of the host. */
static void by_name(void)
{
	int to = socket(AF_UNIX, SOCK_DGRAM, 0), from = socket(AF_UNIX, SOCK_DGRAM, 0), fd = file("by name");
	struct sockaddr_un name = { AF_UNIX };
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "h_numbers.%d", getpid());
	say("bind", bind(to, (struct sockaddr *)&name, sizeof(name)));
	char byte = 'x';
	struct iovec vector = { &byte, 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	struct msghdr message = { &name, sizeof(name), &vector, 1, &control, sizeof(control) };
	say("sent", sendmsg(from, &message, 0));
	close(fd);
	message.msg_name = NULL;
	message.msg_namelen = 0;
	say("received", recvmsg(to, &message, MSG_DONTWAIT));
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	show("read", fd);
	close(fd), close(to), close(from);
}

static void locks_over_exec(char *self)
{
	int fd = file("locks");
	struct flock lock = { F_WRLCK, SEEK_SET, 0, 0 };
	say("F_SETLK", fcntl(fd, F_SETLK, &lock));
	fflush(stdout);
	if (fork() == 0) {
		int own = open("file", O_RDWR);
		lock.l_type = F_WRLCK;
		say("held by the parent", fcntl(own, F_SETLK, &lock));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	int child = fork();
	if (child == 0) {
		int own = open("kept", O_RDWR | O_CREAT, 0644);
		lock = (struct flock){ F_WRLCK, SEEK_SET, 100, 10 };
		char number[16];
		snprintf(number, sizeof(number), "%d", own);
		say("of the child", fcntl(own, F_SETLK, &lock));
		fflush(stdout);
		execl(self, self, "keeps", number, NULL);
	}
	wait(NULL);
	close(fd);
}

/* After exec: the lock is still there, and goes with the first close of any descriptor of the file. */
static void keeps(int fd)
{
	struct flock lock = { F_WRLCK, SEEK_SET, 100, 10 };
	fflush(stdout);
	if (fork() == 0) {
		int own = open("kept", O_RDWR);
		fcntl(own, F_GETLK, &lock);
		say("kept over exec", lock.l_type == F_WRLCK && lock.l_pid == getppid());
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	int other = open("kept", O_RDONLY);
	close(other);
	if (fork() == 0) {
		int own = open("kept", O_RDWR);
		lock = (struct flock){ F_WRLCK, SEEK_SET, 100, 10 };
		fcntl(own, F_GETLK, &lock);
		say("gone with a close", lock.l_type == F_UNLCK);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	close(fd);
}

static void flags(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 0;
	say("O_NONBLOCK", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	say("FIONBIO", ioctl(fd, FIONBIO, &on));
	say("O_NONBLOCK", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	say("FIOCLEX", ioctl(fd, FIOCLEX));
	say("flag", fcntl(fd, F_GETFD));
	say("FIONCLEX", ioctl(fd, FIONCLEX));
	say("flag", fcntl(fd, F_GETFD));
	say("access mode", fcntl(fd, F_GETFL) & O_ACCMODE);
	say("F_SETPIPE_SZ of a socket", fcntl(fd, F_SETPIPE_SZ, 4096));
	say("F_ADD_SEALS of a socket", fcntl(fd, F_ADD_SEALS, 1));
	say("F_GETLEASE", fcntl(fd, F_GETLEASE));
	say("unknown command", fcntl(fd, 12345));
	say("lseek", lseek(fd, 0, SEEK_CUR));
	say("ftruncate", ftruncate(fd, 0));
	say("fsync", fsync(fd));
	say("fchdir", fchdir(fd));
	say("TCGETS", ioctl(fd, TIOCGWINSZ, &on));
	close(fd);
	fd = file("flags");
	say("F_SETFL", fcntl(fd, F_SETFL, O_APPEND));
	say("O_APPEND", !!(fcntl(fd, F_GETFL) & O_APPEND));
	say("FIONREAD", ioctl(fd, FIONREAD, &on));
	say("bytes", on);
	say("fchdir", fchdir(fd));
	say("accept", accept(fd, NULL, NULL));
	close(fd);
}

static void very_many(void)
{
	enum { COUNT = 11000 };
	static int fds[COUNT];
	struct rlimit limit = { 30000, 30000 };
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		getrlimit(RLIMIT_NOFILE, &limit);
	long ok = 0, right = 0;
	fds[0] = file("0123456789");
	int host[300];
	for (int at = 0; at < 300; at++)
		host[at] = open("/dev/null", O_RDWR);
	for (int at = 1; at < COUNT; at++)
		ok += (fds[at] = open("file", O_RDONLY)) != -1;
	say("open", ok);
	for (int at = 1; at < COUNT; at++)
		lseek(fds[at], at % 10, SEEK_SET);
	char byte;
	for (int at = 1; at < COUNT; at++)
		right += read(fds[at], &byte, 1) == 1 && byte == '0' + at % 10;
	say("right", right);
	for (int at = 0, bad = 0; at < 300; at++) {
		bad += write(host[at], "x", 1) != 1;
		if (at == 299)
			say("of the host not right", bad);
	}
	syscall(SYS_close_range, 3, ~0U, 0);
	show("closed", fds[5000]);
}

/* A program closes a standard descriptor to have another file in its place. */
static void standard(void)
{
	int input = fcntl(0, F_DUPFD, 900), error = fcntl(2, F_DUPFD, 900), pair[2];
	close(0);
	say("file", file("standard"));
	show("standard input", 0);
	close(2);
	say("file beside it", open("file", O_RDONLY));
	close(0);
	say("socket", socket(AF_INET, SOCK_DGRAM, 0));
	close(0), close(2);
	say("epoll", epoll_create1(0));
	close(0);
	say("pair", socketpair(AF_INET, SOCK_STREAM, 0, pair) == -1 ? -1 : pair[0]);
	say("directory", open(".", O_RDONLY | O_DIRECTORY));
	fflush(stdout);
	if (fork() == 0) {
		close(2);
		say("file of a child", open("file", O_RDONLY));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	dup2(input, 0), dup2(error, 2);
	close(input), close(error);
	say("all there", open("file", O_RDONLY) > 2);
}

int main(int argc, char **argv)
{
	char self[4096] = "";
	if (argc == 3) {
		keeps(atoi(argv[2]));
		return 0;
	}
	readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (argc != 2 || chdir(argv[1]) == -1)
		return 2;
	standard();
	ranges();
	shared_table();
	of_another_process();
	by_name();
	locks_over_exec(self);
	flags();
	very_many();
	return 0;
}
