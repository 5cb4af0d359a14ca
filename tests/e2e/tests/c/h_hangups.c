/* What epoll sets tell of sockets that are not connected: h_hangups DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "say.h"

static struct sockaddr_in address(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
}

static void names(const char *what, int count, const struct epoll_event *events)
{
	static const struct { uint32_t bit; const char *name; } all[] = {
		{ EPOLLIN, "IN" }, { EPOLLOUT, "OUT" }, { EPOLLRDHUP, "RDHUP" }, { EPOLLHUP, "HUP" }, { EPOLLERR, "ERR" },
	};
	printf("%s: %d", what, count);
	for (int at = 0; at < count; at++) {
		printf(" [%d", (int)events[at].data.u32);
		for (size_t bit = 0; bit < sizeof all / sizeof *all; bit++)
			if (events[at].events & all[bit].bit)
				printf(" %s", all[bit].name);
		printf("]");
	}
	printf("\n");
	fflush(stdout);
}

static void told(const char *what, int set)
{
	struct epoll_event events[8];
	names(what, epoll_wait(set, events, 8, 100), events);
}

static int watch(int set, int operation, int fd, uint32_t events, int name)
{
	struct epoll_event event = { .events = events, .data.u32 = name };
	return epoll_ctl(set, operation, fd, &event);
}

static int fresh(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static void interests(void)
{
	static const uint32_t wanted[] = {
		0, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT | EPOLLRDHUP, EPOLLOUT | EPOLLET, EPOLLIN | EPOLLET, EPOLLOUT | EPOLLONESHOT,
		EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLONESHOT,
	};
	for (size_t at = 0; at < sizeof wanted / sizeof *wanted; at++) {
		int set = epoll_create1(0), fd = fresh();
		say("add", watch(set, EPOLL_CTL_ADD, fd, wanted[at], at));
		told("first", set), told("second", set);
		say("again", watch(set, EPOLL_CTL_MOD, fd, wanted[at], at));
		told("third", set);
		say("otherwise", watch(set, EPOLL_CTL_MOD, fd, EPOLLOUT, 10));
		told("fourth", set), told("fifth", set);
		say("twice", watch(set, EPOLL_CTL_ADD, fd, EPOLLIN, 11));
		say("del", watch(set, EPOLL_CTL_DEL, fd, 0, 0));
		told("nothing", set);
		close(fd), close(set);
	}
}

static void lives(void)
{
	struct sockaddr_in to = address(0);
	socklen_t length = sizeof to;
	int set = epoll_create1(0), listener = fresh(), client = fresh();
	watch(set, EPOLL_CTL_ADD, listener, EPOLLIN, 1), watch(set, EPOLL_CTL_ADD, client, EPOLLOUT, 2);
	told("two", set);
	bind(listener, (struct sockaddr *)&to, length);
	told("bound", set);
	listen(listener, 1);
	told("listening", set);
	getsockname(listener, (struct sockaddr *)&to, &length);
	say("connect", connect(client, (struct sockaddr *)&to, length));
	told("connected", set);
	int accepted = accept(listener, NULL, NULL);
	told("accepted", set);
	close(accepted);
	told("ended by the other", set);
	say("shutdown", shutdown(client, SHUT_WR));
	told("shut", set);
	close(client);
	told("closed", set);
	close(listener), close(set);
	/* The numbers are used again: nothing is told of what they were. */
	set = epoll_create1(0), client = fresh();
	watch(set, EPOLL_CTL_ADD, client, EPOLLOUT, 3);
	told("again", set);
	close(set);
	set = epoll_create1(0);
	told("a new set", set);
	watch(set, EPOLL_CTL_ADD, client, EPOLLOUT, 4);
	close(client);
	int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	told("a closed one", set);
	watch(set, EPOLL_CTL_ADD, datagrams, EPOLLOUT, 5);
	told("datagrams", set);
	client = fresh();
	watch(set, EPOLL_CTL_ADD, client, EPOLLIN, 6);
	say("dup2", dup2(datagrams, client) == client);
	told("another in its place", set);
	close(client), close(datagrams), close(set);
}

static void refused(void)
{
	struct sockaddr_in nobody = address(1);
	int set = epoll_create1(0), fd = fresh();
	say("connect", connect(fd, (struct sockaddr *)&nobody, sizeof nobody));
	watch(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1);
	told("refused before", set);
	close(fd);
	fd = fresh();
	say("shutdown", shutdown(fd, SHUT_RDWR));
	watch(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, 2);
	told("never shut", set);
	close(fd), close(set);
}

static void calls(void)
{
	struct epoll_event events[2];
	struct timespec time = { 0, 100000000 };
	int set = epoll_create1(0), one = fresh(), other = fresh(), status;
	watch(set, EPOLL_CTL_ADD, one, EPOLLIN, 1), watch(set, EPOLL_CTL_ADD, other, EPOLLIN, 2);
	names("pwait", epoll_pwait(set, events, 2, -1, NULL), events);
	names("pwait2", syscall(SYS_epoll_pwait2, set, events, 2, &time, NULL, 8), events);
	names("for ever", syscall(SYS_epoll_pwait2, set, events, 2, NULL, NULL, 8), events);
	say("room for one", epoll_wait(set, events, 1, -1));
	say("room for none", epoll_wait(set, events, 0, 0));
	say("no memory", syscall(SYS_epoll_wait, set, 8, 2, 0));
	if (fork() == 0) {
		names("a child", epoll_wait(set, events, 2, -1), events);
		close(one);
		_exit(0);
	}
	wait(&status);
	names("still", epoll_wait(set, events, 2, -1), events);
}

int main(void)
{
	interests();
	lives();
	refused();
	calls();
	return 0;
}
