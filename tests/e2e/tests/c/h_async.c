/* Signal-driven I/O: h_async DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

/* Waits for a signal that the process has blocked; the number, or -1 after some time. */
static int wait_for(int signo, siginfo_t *info, int seconds)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signo);
	return sigtimedwait(&set, info, &(struct timespec){ seconds, seconds ? 0 : 50000000 });
}

static struct sockaddr_in bound(int fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	bind(fd, (struct sockaddr *)&address, length);
	getsockname(fd, (struct sockaddr *)&address, &length);
	return address;
}

/* From another process, a moment later: this one is in no call of the sockets. */
static void send_later(struct sockaddr_in to, int type, const char *text, int flags)
{
	if (fork() != 0)
		return;
	usleep(20000);
	int fd = socket(AF_INET, type, 0);
	connect(fd, (struct sockaddr *)&to, sizeof(to));
	send(fd, text, strlen(text), flags);
	usleep(300000);
	_exit(0);
}

static void to_the_process(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in address = bound(fd);
	siginfo_t info;
	char text[16];
	say("F_SETOWN", fcntl(fd, F_SETOWN, getpid()));
	say("is it", fcntl(fd, F_GETOWN) == getpid());
	say("O_ASYNC", fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
	say("kept", !!(fcntl(fd, F_GETFL) & O_ASYNC));
	send_later(address, SOCK_DGRAM, "one", 0);
	say("SIGIO", wait_for(SIGIO, &info, 5));
	say("read", read(fd, text, sizeof(text)));
	say("F_SETSIG", fcntl(fd, F_SETSIG, SIGRTMIN + 1));
	say("F_GETSIG", fcntl(fd, F_GETSIG) == SIGRTMIN + 1);
	send_later(address, SOCK_DGRAM, "two", 0);
	say("SIGRTMIN + 1", wait_for(SIGRTMIN + 1, &info, 5) == SIGRTMIN + 1);
	say("of the descriptor", info.si_fd == fd);
	say("to be read", info.si_code == POLL_IN && info.si_band & POLLIN);
	say("read", read(fd, text, sizeof(text)));
	say("off", fcntl(fd, F_SETFL, O_NONBLOCK));
	send_later(address, SOCK_DGRAM, "three", 0);
	say("no signal", wait_for(SIGRTMIN + 1, &info, 0));
	wait(NULL), wait(NULL), wait(NULL);
	close(fd);
}

static int pipe_to_main[2];

static void *thread(void *arg)
{
	siginfo_t info;
	pid_t self = gettid();
	write(pipe_to_main[1], &self, sizeof(self));
	long got = wait_for(SIGIO, &info, 5);
	return (void *)got;
}

static void to_a_thread(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in address = bound(fd);
	struct f_owner_ex owner = { F_OWNER_TID };
	siginfo_t info;
	pthread_t other;
	void *got;
	listen(fd, 5);
	pipe(pipe_to_main);
	pthread_create(&other, NULL, thread, NULL);
	read(pipe_to_main[0], &owner.pid, sizeof(owner.pid));
	say("F_SETOWN_EX", fcntl(fd, F_SETOWN_EX, &owner));
	say("FIOASYNC", ioctl(fd, FIOASYNC, &on));
	send_later(address, SOCK_STREAM, "", 0);
	pthread_join(other, &got);
	say("the thread has got", (long)got);
	say("the process not", wait_for(SIGIO, &info, 0));
	wait(NULL);
	close(fd);
}

static void to_a_group(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ready[2];
	struct sockaddr_in address = bound(fd);
	siginfo_t info;
	char byte;
	pipe(ready);
	pid_t member = fork();
	if (member == 0) {
		setpgid(0, 0);
		write(ready[1], "x", 1);
		_exit(wait_for(SIGIO, &info, 5) == SIGIO);
	}
	read(ready[0], &byte, 1);
	say("F_SETOWN of a group", fcntl(fd, F_SETOWN, -member));
	struct f_owner_ex owner;
	fcntl(fd, F_GETOWN_EX, &owner);
	say("F_GETOWN_EX", owner.type == F_OWNER_PGRP && owner.pid == member);
	fcntl(fd, F_SETFL, O_ASYNC);
	send_later(address, SOCK_DGRAM, "x", 0);
	int status;
	waitpid(member, &status, 0);
	say("the group has got it", WEXITSTATUS(status));
	wait(NULL);
	say("nobody", fcntl(fd, F_SETOWN, 0x7ffffff));
	close(fd);
}

static void urgent(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), owner = getpid();
	struct sockaddr_in address = bound(listener);
	siginfo_t info;
	listen(listener, 5);
	int one = socket(AF_INET, SOCK_STREAM, 0);
	connect(one, (struct sockaddr *)&address, sizeof(address));
	int other = accept(listener, NULL, NULL);
	say("SIOCSPGRP", ioctl(other, SIOCSPGRP, &owner));
	owner = 0;
	say("SIOCGPGRP", ioctl(other, SIOCGPGRP, &owner));
	say("is it", owner == getpid());
	fflush(stdout);
	if (fork() == 0) {
		usleep(20000);
		send(one, "!", 1, MSG_OOB);
		_exit(0);
	}
	say("SIGURG", wait_for(SIGURG, &info, 5));
	wait(NULL);
	close(one), close(other), close(listener);
}

static void connected(int ends[2])
{
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = bound(listener);
	listen(listener, 1);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(ends[0], (struct sockaddr *)&address, sizeof(address));
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

/* Waits for a signal that tells of room to write. */
static int room(int fd)
{
	siginfo_t info;
	while (wait_for(SIGRTMIN + 1, &info, 5) == SIGRTMIN + 1)
		if (info.si_fd == fd && info.si_code == POLL_OUT)
			return !!(info.si_band & POLLOUT);
	return -1;
}

/* Fills it up; what is on its way makes room once it has arrived. */
static void fill(int fd)
{
	static char bytes[65536];
	for (int round = 0; round < 4; round++, usleep(5000))
		for (size_t size = sizeof(bytes); size > 0; size /= 16)
			while (send(fd, bytes, size, MSG_DONTWAIT) > 0)
				;
}

static void drain_later(int fd)
{
	static char bytes[65536];
	if (fork() != 0)
		return;
	usleep(20000);
	for (int quiet = 0; quiet < 20; quiet++, usleep(2000))
		while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			quiet = 0;
	_exit(0);
}

static void forget_signals(void)
{
	siginfo_t info;
	while (wait_for(SIGRTMIN + 1, &info, 0) > 0)
		;
}

static void to_write(void)
{
	int ends[2], size = 32768;
	connected(ends);
	/* Else they grow while they are filled. */
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	fcntl(ends[0], F_SETOWN, getpid());
	fcntl(ends[0], F_SETSIG, SIGRTMIN + 1);
	fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	for (int round = 0; round < 3; round++) {
		fill(ends[0]);
		forget_signals();
		while (send(ends[0], "x", 1, 0) == 1)
			;
		say("full", -1);
		drain_later(ends[1]);
		say("room", room(ends[0]));
		say("sent", send(ends[0], "x", 1, 0));
		wait(NULL);
	}
	forget_signals();
	say("sent, there was room", send(ends[0], "x", 1, 0));
	say("no news", wait_for(SIGRTMIN + 1, &(siginfo_t){ 0 }, 0));
	close(ends[0]), close(ends[1]);

	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = bound(listener);
	listen(listener, 1);
	int one = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	fcntl(one, F_SETOWN, getpid());
	fcntl(one, F_SETSIG, SIGRTMIN + 1);
	fcntl(one, F_SETFL, O_ASYNC | O_NONBLOCK);
	forget_signals();
	say("connect", connect(one, (struct sockaddr *)&address, sizeof(address)));
	say("connected", room(one));
	close(one), close(listener);
}

static void *reader(void *fd)
{
	char byte;
	return (void *)recv(*(int *)fd, &byte, 1, 0);
}

/* SIGPIPE is the writing thread's, which has it blocked; the other has not, and would be killed with the process. */
static void broken_pipe(void)
{
	int pair[2], busy[2];
	pthread_t other;
	siginfo_t info;
	sigset_t set;
	connected(pair);
	connected(busy);
	pthread_create(&other, NULL, reader, &busy[0]);
	usleep(20000);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	close(pair[1]);
	usleep(20000);
	write(pair[0], "x", 1);
	usleep(20000);
	say("without a signal", send(pair[0], "x", 1, MSG_NOSIGNAL));
	say("none", wait_for(SIGPIPE, &info, 0));
	say("write", write(pair[0], "x", 1));
	say("SIGPIPE", wait_for(SIGPIPE, &info, 5));
	say("sendmsg", sendmsg(pair[0], &(struct msghdr){ .msg_iov = &(struct iovec){ "x", 1 }, .msg_iovlen = 1 }, 0));
	say("SIGPIPE", wait_for(SIGPIPE, &info, 5));
	write(busy[1], "x", 1);
	pthread_join(other, NULL);
	close(pair[0]), close(busy[0]), close(busy[1]);
}

int main(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGURG);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setbuf(stdout, NULL);
	to_the_process();
	to_a_thread();
	to_a_group();
	urgent();
	to_write();
	broken_pipe();
	return 0;
}
