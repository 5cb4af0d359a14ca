/*
 * TCP sockets in all their states: h_tcp WHAT
 * states: sockets that are fresh, bound, listening and shut; both ends of connections that are shut and closed in every way.
 * opening: refused connections, connections to themselves, and again.
 * flags: what MSG_* do to a stream.
 * inherit: options of a listener that its connections have.
 */
#define _GNU_SOURCE
#include "probe.h"
#include <netinet/tcp.h>
#include <time.h>

/* All that can be asked of a socket. Counts of what was sent before a connection ended are Linux's own affair. */
static void show(const char *who, int fd)
{
	struct tcp_info info = { 0 };
	struct sockaddr_storage addr;
	socklen_t len = sizeof(info);
	char byte;

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	printf("%s: state %d poll %x unread %d", who, info.tcpi_state, polled(fd), queue(fd, SIOCINQ));
	if (info.tcpi_state != TCP_CLOSE)
		printf(" unsent %d new %d", queue(fd, SIOCOUTQ), queue(fd, SIOCOUTQNSD));
	len = sizeof(addr);
	printf(" peer %s", answer(getpeername(fd, (struct sockaddr *)&addr, &len)));
	len = sizeof(addr);
	printf(" name %s", answer(getsockname(fd, (struct sockaddr *)&addr, &len)));
	printf(" peek %s", answer(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK)));
	printf(" send %s", answer(send(fd, &byte, 0, MSG_DONTWAIT | MSG_NOSIGNAL)));
	printf(" error %d\n", pending_error(fd));
}

static int listener(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*addr);

	*addr = ipv4("127.0.0.1", 0);
	bind(fd, (struct sockaddr *)addr, len);
	listen(fd, 5);
	getsockname(fd, (struct sockaddr *)addr, &len);
	return fd;
}

static void connected(int ends[2])
{
	struct sockaddr_in addr;
	int fd = listener(&addr);

	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(ends[0], ADDR(addr));
	ends[1] = accept(fd, NULL, NULL);
	close(fd);
}

static void show_both(int ends[2])
{
	settle();
	show("a", ends[0]);
	show("b", ends[1]);
}

static void close_both(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void alone(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in addr = ipv4("127.0.0.1", 0);
	char byte;

	show("fresh", fd);
	TRY(send(fd, "x", 1, MSG_NOSIGNAL));
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	TRY(accept(fd, NULL, NULL));
	TRY(shutdown(fd, SHUT_RDWR));
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	show("shut", fd);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	TRY(bind(fd, ADDR(addr)));
	show("bound", fd);
	TRY(bind(fd, ADDR(addr)));
	TRY(listen(fd, 1));
	show("listening", fd);
	TRY(listen(fd, 7));
	socklen_t len = sizeof(addr);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	TRY(connect(fd, ADDR(addr)));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	TRY(accept(fd, NULL, NULL));
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	TRY(send(fd, &byte, 1, MSG_NOSIGNAL));
	TRY(shutdown(fd, SHUT_WR));
	show("still listening", fd);
	TRY(shutdown(fd, SHUT_RD));
	show("closed", fd);
	TRY(listen(fd, 1));
	show("listening again", fd);
	close(fd);
}

static void shut(int how)
{
	int ends[2];
	char bytes[8];

	printf("-- shutdown %d\n", how);
	connected(ends);
	show_both(ends);
	TRY(shutdown(ends[0], how));
	show_both(ends);
	TRY(send(ends[1], "hey", 3, MSG_NOSIGNAL));
	show_both(ends);
	TRY(recv(ends[0], bytes, sizeof(bytes), MSG_DONTWAIT));
	TRY(send(ends[0], "xx", 2, MSG_NOSIGNAL));
	show_both(ends);
	TRY(shutdown(ends[1], SHUT_RDWR));
	TRY(shutdown(ends[0], SHUT_WR));
	TRY(shutdown(ends[0], SHUT_RD));
	show_both(ends);
	TRY(shutdown(ends[0], SHUT_RDWR));
	TRY(shutdown(ends[0], 3));
	close_both(ends);
}

static void closed(void)
{
	int ends[2];
	char bytes[8];

	puts("-- the peer closes");
	connected(ends);
	send(ends[1], "abc", 3, 0);
	close(ends[1]);
	settle();
	show("a", ends[0]);
	TRY(send(ends[0], "x", 1, MSG_NOSIGNAL));
	settle();
	show("a", ends[0]);
	TRY(send(ends[0], "x", 1, MSG_NOSIGNAL));
	TRY(recv(ends[0], bytes, sizeof(bytes), MSG_DONTWAIT));
	show("a", ends[0]);
	close(ends[0]);
	puts("-- and has not read all");
	connected(ends);
	send(ends[0], "abc", 3, 0);
	settle();
	close(ends[1]);
	settle();
	show("a", ends[0]);
	TRY(send(ends[0], "x", 1, MSG_NOSIGNAL));
	TRY(recv(ends[0], bytes, sizeof(bytes), MSG_DONTWAIT));
	close(ends[0]);
}

static void lingering(struct linger linger)
{
	int ends[2];
	char bytes[8];

	printf("-- SO_LINGER %d %d\n", linger.l_onoff, linger.l_linger);
	connected(ends);
	send(ends[0], "abc", 3, 0);
	setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(ends[0]);
	settle();
	show("b", ends[1]);
	TRY(recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT));
	TRY(recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT));
	close(ends[1]);
}

static void states(void)
{
	alone();
	shut(SHUT_RD);
	shut(SHUT_WR);
	shut(SHUT_RDWR);
	closed();
	lingering((struct linger){ 1, 0 });
	lingering((struct linger){ 1, 1 });
	lingering((struct linger){ 0, 5 });
}

static void refused(void)
{
	struct sockaddr_in nobody = ipv4("127.0.0.1", 1);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	TRY(connect(fd, ADDR(nobody)));
	settle();
	printf("poll %x\n", polled(fd));
	TRY(connect(fd, ADDR(nobody)));
	TRY(connect(fd, ADDR(nobody)));
	settle();
	TRY(send(fd, "x", 1, MSG_NOSIGNAL));
	TRY(send(fd, "x", 1, MSG_NOSIGNAL));
	show("refused", fd);
	close(fd);
}

/* The port lies below those that are given away, so that nobody has it. */
static void itself(void)
{
	struct sockaddr_in own = ipv4("127.0.0.1", 4567);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char bytes[8];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	TRY(bind(fd, ADDR(own)));
	TRY(connect(fd, ADDR(own)));
	show("itself", fd);
	TRY(send(fd, "hello", 5, 0));
	settle();
	show("itself", fd);
	TRY(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	TRY(shutdown(fd, SHUT_WR));
	settle();
	show("itself", fd);
	TRY(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	close(fd);
}

static void again(void)
{
	struct sockaddr_in nobody = ipv4("127.0.0.1", 1);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int ends[2];

	connected(ends);
	TRY(connect(ends[0], ADDR(nobody)));
	TRY(listen(ends[0], 1));
	TRY(bind(ends[0], ADDR(nobody)));
	TRY(connect(ends[0], ADDR(none)));
	settle();
	show("b", ends[1]);
	TRY(connect(ends[0], ADDR(nobody)));
	close_both(ends);
}

static void flags(void)
{
	struct sockaddr_in any = ipv4("127.0.0.1", 9), from;
	socklen_t len = sizeof(from);
	int ends[2];
	char bytes[16];

	connected(ends);
	send(ends[0], "abcdef", 6, 0);
	settle();
	TRY(recv(ends[1], bytes, 2, MSG_TRUNC | MSG_PEEK));
	TRY(recv(ends[1], NULL, 3, MSG_TRUNC));
	TRY(recv(ends[1], bytes, 10, MSG_WAITALL | MSG_DONTWAIT));
	TRY(recv(ends[1], bytes, 1, MSG_OOB));
	TRY(recv(ends[1], bytes, 1, MSG_ERRQUEUE));
	TRY(recv(ends[1], bytes, 0, MSG_DONTWAIT));
	TRY(send(ends[0], "z", 1, MSG_MORE));
	TRY(send(ends[0], "z", 1, 0));
	TRY(send(ends[0], "z", 1, MSG_DONTROUTE));
	TRY(send(ends[0], "z", 1, MSG_CONFIRM));
	TRY(send(ends[0], "z", 1, MSG_EOR));
	TRY(send(ends[0], "z", 1, 0x10));
	TRY(sendto(ends[0], "z", 1, 0, ADDR(any)));
	settle();
	TRY(recvfrom(ends[1], bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len));
	close_both(ends);
}

/* Which stamps what is received has, and whether they are of now. */
static void stamps(void)
{
	static const struct {
		int option, value;
	} ASKED[] = { { SO_TIMESTAMP, 1 }, { SO_TIMESTAMPNS, 1 }, { SO_TIMESTAMPING, 1 << 3 | 1 << 4 }, { SO_TIMESTAMPING, 1 << 3 }, { SO_TIMESTAMP, 1 }, { SO_TIMESTAMPNS, 0 } };
	int ends[2];

	connected(ends);
	for (size_t at = 0; at < sizeof(ASKED) / sizeof(*ASKED); at++) {
		char byte, control[256];
		struct iovec iov = { &byte, 1 };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

		TRY(setsockopt(ends[1], SOL_SOCKET, ASKED[at].option, &ASKED[at].value, sizeof(int)));
		/* Linux begins to stamp a while later. */
		settle();
		send(ends[0], "x", 1, 0);
		settle();
		TRY(recvmsg(ends[1], &message, 0));
		for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
			long sent = *(long *)CMSG_DATA(head), now = time(NULL);
			printf("[%d %d %zu]%s\n", head->cmsg_level, head->cmsg_type, head->cmsg_len, sent <= now && now - sent < 10 ? "" : " of when?");
		}
	}
	close_both(ends);
}

static const struct {
	const char *name;
	int level, option, value;
} OPTIONS[] = {
	{ "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1 },
	{ "SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 1 },
	{ "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 50000 },
	{ "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 40000 },
	{ "SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1 },
	{ "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3 },
	{ "SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 5 },
	{ "SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE, 1 },
	{ "SO_TIMESTAMP", SOL_SOCKET, SO_TIMESTAMP, 1 },
	{ "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 },
	{ "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77 },
	{ "TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 7 },
	{ "TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 3 },
	{ "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 9999 },
	{ "TCP_CORK", IPPROTO_TCP, TCP_CORK, 1 },
	{ "TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT, 3 },
	{ "TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, 20 },
	{ "TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000 },
	{ "IP_TOS", IPPROTO_IP, IP_TOS, 0x10 },
	{ "IP_TTL", IPPROTO_IP, IP_TTL, 33 },
	{ "IP_RECVTTL", IPPROTO_IP, IP_RECVTTL, 1 },
	{ "IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, 0 },
	{ "IP_FREEBIND", IPPROTO_IP, IP_FREEBIND, 1 },
	{ "IP_MINTTL", IPPROTO_IP, IP_MINTTL, 1 },
};

static int option(int fd, int at)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, OPTIONS[at].level, OPTIONS[at].option, &value, &len) < 0)
		return -errno;
	return value;
}

static void inherit(void)
{
	const int count = sizeof(OPTIONS) / sizeof(*OPTIONS);
	struct timeval patience = { 3, 500000 };
	struct linger linger = { 1, 7 };
	struct sockaddr_in addr;
	int fd = listener(&addr), to = socket(AF_INET, SOCK_STREAM, 0);

	for (int at = 0; at < count; at++)
		setsockopt(fd, OPTIONS[at].level, OPTIONS[at].option, &OPTIONS[at].value, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	connect(to, ADDR(addr));
	settle();
	int born = accept(fd, NULL, NULL);
	for (int at = 0; at < count; at++)
		printf("%s: %d, inherited %d\n", OPTIONS[at].name, option(fd, at), option(born, at));
	patience = (struct timeval){ 0 };
	linger = (struct linger){ 0 };
	socklen_t len = sizeof(patience);
	getsockopt(born, SOL_SOCKET, SO_RCVTIMEO, &patience, &len);
	len = sizeof(linger);
	getsockopt(born, SOL_SOCKET, SO_LINGER, &linger, &len);
	printf("SO_RCVTIMEO %ld.%06ld, SO_LINGER %d %d\n", patience.tv_sec, patience.tv_usec, linger.l_onoff, linger.l_linger);
	printf("F_GETFL %x, F_GETFD %x\n", fcntl(born, F_GETFL) & O_NONBLOCK, fcntl(born, F_GETFD));
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	alarm(60);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "states"))
		states();
	if (!strcmp(what, "opening")) {
		refused();
		itself();
		again();
	}
	if (!strcmp(what, "flags")) {
		flags();
		stamps();
	}
	if (!strcmp(what, "inherit"))
		inherit();
	return 0;
}
