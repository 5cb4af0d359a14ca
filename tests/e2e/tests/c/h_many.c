/* Ten thousand sockets in one epoll set: h_many. Prints what a native run prints. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 10000, BATCH = 512 };

static int sockets[MANY];
static struct sockaddr_in addresses[MANY];
static int told[MANY];

static void must(int ok, const char *what)
{
	if (!ok) {
		printf("%s: %s\n", what, strerror(errno));
		exit(1);
	}
}

/* Takes all events there are; answers how many sockets had one. */
static int collect(int set, int receive)
{
	struct epoll_event events[BATCH];
	int count, sum = 0;
	while ((count = epoll_wait(set, events, BATCH, sum < MANY ? 2000 : 50)) > 0) {
		for (int at = 0; at < count; at++) {
			int which = (int)events[at].data.u32, found = -1;
			char byte;
			must(events[at].events == EPOLLIN, "events");
			told[which]++;
			if (receive) {
				must(recv(sockets[which], &found, sizeof(found), MSG_DONTWAIT) == sizeof(found), "recv");
				must(found == which, "another's datagram");
				must(recv(sockets[which], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "empty");
			}
		}
		sum += count;
	}
	return sum;
}

static void send_to_all(int sender)
{
	for (int at = 0; at < MANY; at++)
		must(sendto(sender, &at, sizeof(at), 0, (struct sockaddr *)&addresses[at], sizeof(addresses[at])) == sizeof(at), "sendto");
}

int main(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > MANY + 64, "RLIMIT_NOFILE");
	int set = epoll_create1(0), sender = socket(AF_INET, SOCK_DGRAM, 0);
	for (int at = 0; at < MANY; at++) {
		socklen_t length = sizeof(addresses[at]);
		addresses[at] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		must((sockets[at] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0, "socket");
		must(bind(sockets[at], (struct sockaddr *)&addresses[at], length) == 0, "bind");
		must(getsockname(sockets[at], (struct sockaddr *)&addresses[at], &length) == 0, "getsockname");
		struct epoll_event wanted = { .events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)at };
		must(epoll_ctl(set, EPOLL_CTL_ADD, sockets[at], &wanted) == 0, "epoll_ctl");
	}
	printf("%d sockets\n", MANY);
	/* Told once each, though nobody has received; again for each new datagram; never without one. */
	for (int round = 1; round <= 3; round++) {
		send_to_all(sender);
		int sum = collect(set, round != 1), once = 0;
		for (int at = 0; at < MANY; at++)
			once += told[at] == round;
		printf("round %d: %d told, %d of them once\n", round, sum, once);
		if (round == 1)
			for (int at = 0, found; at < MANY; at++)
				must(recv(sockets[at], &found, sizeof(found), MSG_DONTWAIT) == sizeof(found) && found == at, "recv");
	}
	for (int at = 0; at < MANY; at++)
		close(sockets[at]);
	printf("after all are closed: %d\n", epoll_wait(set, &(struct epoll_event){ 0 }, 1, 50));
	return 0;
}
