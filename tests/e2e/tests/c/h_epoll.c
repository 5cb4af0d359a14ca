/* Readiness of descriptors of both kernels: h_epoll DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

static void connected(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(ends[0], (struct sockaddr *)&address, length);
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void names(uint32_t events)
{
	static const struct { uint32_t bit; const char *name; } all[] = {
		{ EPOLLIN, "IN" }, { EPOLLOUT, "OUT" }, { EPOLLRDHUP, "RDHUP" }, { EPOLLHUP, "HUP" }, { EPOLLERR, "ERR" },
	};
	for (size_t at = 0; at < sizeof(all) / sizeof(*all); at++)
		if (events & all[at].bit)
			printf(" %s", all[at].name);
}

/* What a set has to tell within so many milliseconds. */
static int told(const char *what, int set, int timeout)
{
	struct epoll_event events[8];
	int count = epoll_wait(set, events, 8, timeout);
	printf("%s: %d", what, count);
	for (int at = 0; at < count; at++) {
		printf(" [%d", (int)events[at].data.u32);
		names(events[at].events);
		printf("]");
	}
	printf("\n");
	return count;
}

static void watch(int set, int operation, int fd, uint32_t events, int name)
{
	struct epoll_event event = { .events = events, .data.u32 = name };
	if (epoll_ctl(set, operation, fd, &event) == -1)
		printf("epoll_ctl: %s\n", strerror(errno));
}

static void drain(int fd)
{
	char buffer[65536];
	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
}

static void kinds_of_events(void)
{
	int pair[2], set = epoll_create1(EPOLL_CLOEXEC);
	connected(pair);
	watch(set, EPOLL_CTL_ADD, pair[1], EPOLLIN, 1);
	told("nothing", set, 0);
	write(pair[0], "ab", 2);
	told("level", set, 2000);
	told("level again", set, 0);
	drain(pair[1]);
	told("drained", set, 0);
	watch(set, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLET, 2);
	write(pair[0], "ab", 2);
	told("edge", set, 2000);
	told("no edge", set, 20);
	write(pair[0], "cd", 2);
	told("next edge", set, 2000);
	drain(pair[1]);
	watch(set, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLONESHOT, 3);
	write(pair[0], "ab", 2);
	told("one shot", set, 2000);
	write(pair[0], "ab", 2);
	told("no more", set, 20);
	watch(set, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLONESHOT, 4);
	told("armed again", set, 2000);
	drain(pair[1]);
	watch(set, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP, 5);
	told("writable", set, 2000);
	shutdown(pair[0], SHUT_WR);
	usleep(20000);
	told("half closed", set, 2000);
	watch(set, EPOLL_CTL_DEL, pair[1], 0, 0);
	watch(set, EPOLL_CTL_DEL, pair[1], 0, 0);
	told("taken out", set, 0);
	watch(set, EPOLL_CTL_ADD, pair[1], EPOLLIN | EPOLLEXCLUSIVE, 6);
	told("exclusive", set, 2000);
	watch(set, EPOLL_CTL_MOD, pair[1], EPOLLIN, 7);
	close(pair[1]);
	told("closed", set, 0);
	close(pair[0]);
	close(set);
}

static void full_buffers(void)
{
	int pair[2], set = epoll_create1(0);
	char block[65536] = "";
	long sent = 0, got = 0;
	connected(pair);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	watch(set, EPOLL_CTL_ADD, pair[0], EPOLLOUT | EPOLLET, 1);
	told("writable", set, 2000);
	for (ssize_t one; (one = write(pair[0], block, sizeof(block))) > 0; sent += one)
		;
	told("full", set, 20);
	while (got < sent)
		got += read(pair[1], block, sizeof(block));
	usleep(10000);
	told("room", set, 2000);
	close(pair[0]), close(pair[1]), close(set);
}

static void nested_and_inherited(void)
{
	int pair[2], inner = epoll_create1(0), outer = epoll_create1(0);
	connected(pair);
	watch(inner, EPOLL_CTL_ADD, pair[1], EPOLLIN, 1);
	watch(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2);
	told("outer", outer, 0);
	write(pair[0], "x", 1);
	told("outer", outer, 2000);
	told("inner", inner, 0);
	fflush(stdout);
	if (fork() == 0) {
		told("in a child", inner, 2000);
		drain(pair[1]);
		told("drained there", inner, 0);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	told("and here", inner, 0);
	write(pair[0], "x", 1);
	told("outer", outer, 2000);
	drain(pair[1]);
	/* A copy keeps the file in the set. */
	int copy = dup(pair[1]);
	close(pair[1]);
	write(pair[0], "x", 1);
	told("by a copy", inner, 2000);
	close(copy);
	told("gone", inner, 0);
	close(pair[0]), close(inner), close(outer);
}

static void passed_over_exec(char *self)
{
	int pair[2], set = epoll_create1(0);
	char numbers[2][16];
	connected(pair);
	watch(set, EPOLL_CTL_ADD, pair[1], EPOLLIN, 9);
	write(pair[0], "x", 1);
	snprintf(numbers[0], 16, "%d", set);
	snprintf(numbers[1], 16, "%d", pair[1]);
	fflush(stdout);
	if (fork() == 0) {
		execl(self, self, "waits", numbers[0], numbers[1], NULL);
		_exit(1);
	}
	int status;
	wait(&status);
	say("waited", WEXITSTATUS(status));
	close(pair[0]), close(pair[1]), close(set);
}

static void *writer(void *fd)
{
	usleep(30000);
	write(*(int *)fd, "x", 1);
	return NULL;
}

static void others_of_the_host(void)
{
	int pair[2], set = epoll_create1(0), event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	int child = fork();
	if (child == 0)
		pause();
	int process = syscall(SYS_pidfd_open, child, 0), notify = inotify_init1(0);
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	int signal = signalfd(-1, &signals, 0);
	connected(pair);
	int fds[] = { pair[1], event, timer, process, notify, signal };
	for (int at = 0; at < 6; at++)
		watch(set, EPOLL_CTL_ADD, fds[at], EPOLLIN, at);
	told("all quiet", set, 0);
	write(pair[0], "x", 1);
	told("socket", set, 2000);
	drain(pair[1]);
	eventfd_write(event, 1);
	told("eventfd", set, 2000);
	eventfd_read(event, &(eventfd_t){ 0 });
	timerfd_settime(timer, 0, &(struct itimerspec){ .it_value.tv_nsec = 1000000 }, NULL);
	told("timerfd", set, 2000);
	read(timer, &(uint64_t){ 0 }, 8);
	kill(child, SIGKILL);
	told("pidfd", set, 2000);
	watch(set, EPOLL_CTL_DEL, process, 0, 0);
	kill(getpid(), SIGUSR1);
	told("signalfd", set, 2000);
	read(signal, &(struct signalfd_siginfo){ 0 }, sizeof(struct signalfd_siginfo));
	wait(NULL);

	struct pollfd polled[] = { { pair[1], POLLIN | POLLRDHUP }, { event, POLLIN }, { timer, POLLIN }, { -1, POLLIN, 77 } };
	say("poll", poll(polled, 4, 0));
	pthread_t thread;
	pthread_create(&thread, NULL, writer, &pair[0]);
	say("poll", poll(polled, 4, 2000));
	printf("%d %d %d %d\n", polled[0].revents, polled[1].revents, polled[2].revents, polled[3].revents);
	pthread_join(thread, NULL);
	drain(pair[1]);
	pthread_create(&thread, NULL, writer, &event);
	close(event);
	pthread_join(thread, NULL);
	say("epoll_pwait2", syscall(SYS_epoll_pwait2, set, &(struct epoll_event){ 0 }, 1, &(struct timespec){ 0, 1000000 }, NULL, 8));
	fd_set reading, writing;
	FD_ZERO(&reading); FD_ZERO(&writing);
	FD_SET(pair[1], &reading); FD_SET(timer, &reading); FD_SET(pair[1], &writing);
	struct timeval limit = { 1, 0 };
	say("select", select(FD_SETSIZE, &reading, &writing, NULL, &limit));
	printf("%d %d %d\n", FD_ISSET(pair[1], &reading), FD_ISSET(timer, &reading), FD_ISSET(pair[1], &writing));
	for (int at = 0; at < 6; at++)
		close(fds[at]);
	close(pair[0]), close(set);
}

static void *touch(void *page)
{
	return (void *)(long)*(volatile char *)page;
}

/* A thread that touches a page which is not there waits until somebody puts it there: here with what came over a socket. */
static void faults(void)
{
	int pair[2], set = epoll_create1(0), fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API };
	static char content[4096] __attribute__((aligned(4096)));
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register range = { .range = { (unsigned long)page, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg message;
	pthread_t thread;
	void *seen;
	say("UFFDIO_API", ioctl(fd, UFFDIO_API, &api));
	say("UFFDIO_REGISTER", ioctl(fd, UFFDIO_REGISTER, &range));
	connected(pair);
	watch(set, EPOLL_CTL_ADD, pair[1], EPOLLIN, 0);
	watch(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
	told("nobody has touched it", set, 0);
	pthread_create(&thread, NULL, touch, page);
	told("a fault", set, 2000);
	say("read", read(fd, &message, sizeof(message)));
	say("of the page", message.event == UFFD_EVENT_PAGEFAULT && message.arg.pagefault.address == (unsigned long)page);
	write(pair[0], "#", 1);
	told("what it is to hold", set, 2000);
	say("recv", recv(pair[1], content, 1, 0));
	struct uffdio_copy copy = { .dst = (unsigned long)page, .src = (unsigned long)content, .len = 4096 };
	say("UFFDIO_COPY", ioctl(fd, UFFDIO_COPY, &copy));
	pthread_join(thread, &seen);
	say("seen", (long)seen);
	close(fd), close(pair[0]), close(pair[1]), close(set);
}

static void many(void)
{
	enum { SOCKETS = 2000 };
	static int fds[SOCKETS];
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	struct rlimit limit = { 8192, 8192 };
	setrlimit(RLIMIT_NOFILE, &limit);
	int set = epoll_create1(0);
	long ok = 0, found = 0;
	for (int at = 0; at < SOCKETS; at++) {
		address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		fds[at] = socket(AF_INET, SOCK_DGRAM, 0);
		ok += bind(fds[at], (struct sockaddr *)&address, sizeof(address)) == 0;
		watch(set, EPOLL_CTL_ADD, fds[at], EPOLLIN, at);
	}
	say("bound", ok);
	told("quiet", set, 0);
	for (int at = 7; at < SOCKETS; at += 500) {
		getsockname(fds[at], (struct sockaddr *)&address, &length);
		sendto(fds[0], "x", 1, 0, (struct sockaddr *)&address, length);
		found += told("one of many", set, 2000);
		drain(fds[at]);
	}
	say("found", found);
	/* select(2) with numbers beyond FD_SETSIZE, in sets of the program's own. */
	unsigned long words[8192 / 64] = { 0 };
	int last = fds[SOCKETS - 1];
	words[last / 64] |= 1UL << last % 64;
	getsockname(last, (struct sockaddr *)&address, &length);
	sendto(fds[0], "x", 1, 0, (struct sockaddr *)&address, length);
	say("beyond FD_SETSIZE", syscall(SYS_select, last + 1, words, NULL, NULL, &(struct timeval){ 1, 0 }));
	say("set", words[last / 64] >> last % 64 & 1);
	say("number", last > 1024);
	for (int at = 0; at < SOCKETS; at++)
		close(fds[at]);
	close(set);
}

static void limits(void)
{
	struct rlimit limit = { 200, 200 };
	setrlimit(RLIMIT_NOFILE, &limit);
	int fds[400], count = 0;
	while (count < 400 && (fds[count] = socket(AF_INET, SOCK_STREAM, 0)) != -1)
		count++;
	printf("full: %s, %d\n", strerror(errno), count > 50 && count < 200);
	say("dup", dup(fds[0]));
	say("F_DUPFD", fcntl(fds[0], F_DUPFD, 200));
	say("dup2", dup2(fds[0], 200));
	close(fds[count / 2]);
	int again = socket(AF_INET, SOCK_STREAM, 0);
	say("one is free", again == -1 ? -1 : 0);
	close(again);
	say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
}

int main(int argc, char **argv)
{
	setbuf(stdout, NULL);
	if (argc == 4) {
		told("after exec", atoi(argv[2]), 2000);
		drain(atoi(argv[3]));
		told("drained", atoi(argv[2]), 0);
		return 0;
	}
	kinds_of_events();
	full_buffers();
	nested_and_inherited();
	passed_over_exec(argv[0]);
	others_of_the_host();
	faults();
	many();
	limits();
	return 0;
}
