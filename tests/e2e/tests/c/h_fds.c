/* Descriptor shuffles in a directory: h_fds DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void say(const char *what, long value)
{
	printf("%s: %ld%s%s\n", what, value < 0 ? -1 : value, value < 0 ? " " : "", value < 0 ? strerrorname_np(errno) : "");
	fflush(stdout);
}

static long length(const char *path)
{
	struct stat status;
	return stat(path, &status) == -1 ? -1 : status.st_size;
}

static void over_low_numbers(void)
{
	int saved = dup(1);
	int fd = open("low", O_CREAT | O_WRONLY | O_TRUNC, 0644);
	dup2(fd, 1);
	close(fd);
	write(1, "via one\n", 8);
	dup2(saved, 1);
	close(saved);
	say("written through 1", length("low"));
}

static void closed_in_ranges(void)
{
	int fd = open("range", O_CREAT | O_RDWR, 0644);
	int copy = fcntl(fd, F_DUPFD, 200);
	say("close_range", close_range(200, ~0U, 0));
	say("the copy", write(copy, "x", 1));
	say("the original", write(fd, "x", 1));
	close(fd);
	say("closed", write(fd, "x", 1));
	for (int number = 3; number < 1024; number++)
		close(number);
	fd = open("range", O_RDONLY);
	say("after the loop", fd == -1 ? -1 : 0);
	char byte;
	say("read", read(fd, &byte, 1));
	close(fd);
}

static void close_on_exec(void)
{
	int fd = open("cloexec", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	say("FD_CLOEXEC", fcntl(fd, F_GETFD));
	say("cleared", fcntl(fd, F_SETFD, 0));
	say("FD_CLOEXEC", fcntl(fd, F_GETFD));
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	say("FD_CLOEXEC of a copy", fcntl(copy, F_GETFD));
	close(fd);
	close(copy);
}

static void in_a_spawned_child(void)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "spawned", O_CREAT | O_WRONLY | O_TRUNC, 0644);
	char *argv[] = { "echo", "from the child", NULL };
	pid_t child;
	int error = posix_spawnp(&child, "echo", &actions, NULL, argv, environ);
	int status = -1;
	if (error == 0)
		waitpid(child, &status, 0);
	say("spawned", status);
	say("its output", length("spawned"));
}

static void over_a_socket(void)
{
	int ends[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	int fd = open("passed", O_CREAT | O_RDWR | O_TRUNC, 0644);
	char byte = 'x';
	struct iovec vector = { &byte, 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	say("sent", sendmsg(ends[0], &message, 0));
	close(fd);
	memset(&control, 0, sizeof(control));
	say("received", recvmsg(ends[1], &message, 0));
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	say("written", write(fd, "passed\n", 7));
	close(fd);
	say("arrived", length("passed"));
}

static void inherited_by_fork(void)
{
	int fd = open("forked", O_CREAT | O_RDWR | O_TRUNC, 0644);
	pid_t child = fork();
	if (child == 0) {
		write(fd, "child ", 6);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	write(fd, "parent\n", 7);
	say("position", lseek(fd, 0, SEEK_CUR));
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) == -1)
		return 2;
	over_low_numbers();
	closed_in_ranges();
	close_on_exec();
	in_a_spawned_child();
	over_a_socket();
	inherited_by_fork();
	return 0;
}
