/* Files that one process has at one number, and what makes more of that: h_lone DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

extern char **environ;

static int file(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
	write(fd, text, strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void show(const char *what, int fd)
{
	char text[4] = "";
	ssize_t got = read(fd, text, 3);
	printf("%s: %zd \"%s\" %s\n", what, got, text, got == -1 ? strerror(errno) : "");
	fflush(stdout);
}

/* Whether nobody has the file locked. */
static int is_free(const char *name)
{
	int fd = open(name, O_RDWR), got = flock(fd, LOCK_EX | LOCK_NB);
	close(fd);
	return got == 0;
}

/* Copies share one position, and the last close counts. */
static void copies(void)
{
	int fd = file("copies", "abcdefghijklmnopqrstuvwxyz");
	flock(fd, LOCK_EX);
	int copy = dup(fd), high = fcntl(fd, F_DUPFD_CLOEXEC, 700), other = file("other", "other");
	flock(other, LOCK_EX);
	show("first", fd), show("copy", copy), show("high", high);
	say("flags", fcntl(fd, F_GETFD) << 8 | fcntl(copy, F_GETFD) << 4 | fcntl(high, F_GETFD));
	say("over a file of its own", dup2(fd, other) == other);
	say("that one is closed", is_free("other"));
	show("in its place", other);
	close(fd), close(copy), close(high);
	say("one is left", is_free("copies"));
	close(other);
	say("none is left", is_free("copies"));
	say("copy of nothing", dup2(fd, 300));
	say("onto itself", (fd = file("self", "abc"), dup2(fd, fd) == fd));
	close(fd);
}

static void children(void)
{
	int fd = file("forked", "abcdefghijklmnopqrstuvwxyz"), marked = open("forked", O_RDWR | O_CLOEXEC);
	flock(marked, LOCK_EX);
	int child = fork();
	if (child == 0) {
		show("child", fd), show("child", marked);
		close(fd), close(marked);
		int mine = file("mine", "123");
		show("child's own", mine);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	show("parent goes on", fd), show("parent", marked);
	say("still locked", is_free("forked"));
	if ((child = vfork()) == 0) {
		int mine = open("mine", O_RDWR);
		close(fd);
		dup2(mine, 400), close(mine);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	show("after vfork", fd);
	say("child's number", fcntl(400, F_GETFD));
	close(marked);
	say("unlocked", is_free("forked"));
	close(fd);
}

/* What the next program has, and what it has not. */
static void programs(void)
{
	fflush(stdout);
	char *argv[] = { "sh", "-c", "head -c3 <&9; head -c3 <&9; echo; (head -c1 <&8) 2>/dev/null || echo none", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	int fd = file("spawned", "abcdefghijkl"), status, child;
	posix_spawn_file_actions_adddup2(&actions, fd, 9);
	posix_spawn_file_actions_addopen(&actions, 7, "spawned.out", O_CREAT | O_WRONLY, 0644);
	int spawned = posix_spawnp(&child, "sh", &actions, NULL, argv, environ);
	waitpid(child, &status, 0);
	say("spawn", spawned), say("status", status);
	show("read on", fd);
	/* Nobody tells the rump kernel what the next program is, which makes no call to it. */
	int marked = open("spawned", O_RDWR | O_CLOEXEC), pipes[2], locked[2];
	flock(marked, LOCK_EX);
	say("locked", is_free("spawned"));
	close(marked);
	pipe2(pipes, O_CLOEXEC), pipe2(locked, O_CLOEXEC);
	if ((child = fork()) == 0) {
		int own = open("spawned", O_RDWR | O_CLOEXEC);
		flock(own, LOCK_EX);
		write(locked[1], "x", 1);
		dup2(pipes[0], 0);
		execlp("cat", "cat", NULL);
		_exit(1);
	}
	char byte;
	read(locked[0], &byte, 1);
	close(pipes[0]), close(locked[0]), close(locked[1]);
	for (int tries = 0; tries < 200 && !is_free("spawned"); tries++)
		usleep(5000);
	say("closed by exec", is_free("spawned"));
	close(pipes[1]);
	waitpid(child, NULL, 0);
	if ((child = fork()) == 0) {
		int own = open("spawned", O_RDWR);
		flock(own, LOCK_EX);
		pause();
	}
	while (is_free("spawned"))
		usleep(1000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	say("closed by death", is_free("spawned"));
	close(fd);
}

static void passed(void)
{
	int pair[2], fd = file("passed", "abcdef"), got;
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	char byte = 'x', space[CMSG_SPACE(sizeof fd)] = "";
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	say("sent", sendmsg(pair[0], &message, 0));
	say("received", recvmsg(pair[1], &message, 0));
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
	show("what was passed", got), show("shares its position", fd);
	close(got), close(fd), close(pair[0]), close(pair[1]);
}

static void ranges(void)
{
	int first = file("range", "abc"), last = -1;
	flock(first, LOCK_EX);
	for (int count = 0; count < 20; count++)
		last = file("ranges", "abc");
	say("close_range", syscall(SYS_close_range, first, last, 0));
	say("closed", is_free("range"));
	say("closed twice", close(last));
	struct pollfd polled[] = { { first = file("range", "abc"), POLLIN | POLLOUT, 0 }, { dup(0), 0, 0 } };
	say("poll", poll(polled, 2, 0)), say("ready", polled[0].revents);
	struct epoll_event event = { .events = EPOLLIN };
	say("epoll", epoll_ctl(last = epoll_create1(0), EPOLL_CTL_ADD, first, &event));
	close(last), close(first), close(polled[1].fd);
	int dir = open(".", O_RDONLY | O_DIRECTORY), place = open("range", O_PATH), again;
	say("by directory", (again = openat(dup(dir), "range", O_RDONLY)) >= 0);
	say("O_PATH", read(place, NULL, 0));
	close(again), close(dir), close(place);
}

static volatile int stop;

/* Opens, looks and closes while others are copied. */
static void *opener(void *arg)
{
	char name[16], text[16], got[16];
	long wrong = 0;
	snprintf(name, sizeof name, "thread%ld", (long)arg);
	for (int count = 0; !stop; count++) {
		int length = snprintf(text, sizeof text, "%d", count), fd = open(name, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0644);
		wrong += write(fd, text, length) != length;
		int copy = count % 8 ? -1 : dup(fd);
		wrong += pread(copy == -1 ? fd : copy, got, sizeof got, 0) != length || memcmp(got, text, length) != 0;
		wrong += copy != -1 && close(copy) != 0;
		wrong += close(fd) != 0;
	}
	return (void *)wrong;
}

static void threads(void)
{
	pthread_t thread[3];
	int fd = file("held", "abc");
	flock(fd, LOCK_EX);
	for (long number = 0; number < 3; number++)
		pthread_create(&thread[number], NULL, opener, (void *)number);
	long wrong = 0;
	for (int count = 0; count < 60; count++) {
		int status, child = count % 2 ? fork() : vfork();
		if (child == 0)
			_exit(0);
		waitpid(child, &status, 0);
		wrong += status != 0 || is_free("held");
	}
	stop = 1;
	for (int number = 0; number < 3; number++) {
		void *result;
		pthread_join(thread[number], &result);
		wrong += (long)result;
	}
	say("wrong", wrong);
	close(fd);
	say("unlocked", is_free("held"));
}

/* No number is free: copies are refused, files stay, children have what they had. */
static void limits(void)
{
	struct rlimit limit = { 200, 200 };
	setrlimit(RLIMIT_NOFILE, &limit);
	int fd, last = -1, count = 0;
	while ((fd = open("held", O_RDWR)) != -1)
		last = fd, count++;
	say("full", count > 0), say("open", fd);
	say("dup", dup(last));
	show("still there", last);
	int child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	lseek(last, 0, SEEK_SET);
	show("after fork", last);
	close(last);
	say("again", (fd = open("held", O_RDONLY)) == last);
	show("another", fd);
}

int main(int argc, char **argv)
{
	(void)argc;
	if (chdir(argv[1]) == -1)
		return 1;
	copies();
	children();
	programs();
	passed();
	ranges();
	threads();
	limits();
	return 0;
}
