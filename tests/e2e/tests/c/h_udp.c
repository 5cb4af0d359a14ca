/*
 * Datagrams: h_udp WHAT
 * peers: connect(2), connect(2) with AF_UNSPEC, shutdown(2), and what is known of the socket behind each.
 * errors: what IP_RECVERR keeps.
 * several: sendmmsg(2), recvmmsg(2) and their errors.
 * control: control messages that do not fit, and those that are refused.
 * corked: datagrams that several sends make.
 * uncut: what is too long where fragments are forbidden.
 */
#define _GNU_SOURCE
#include "probe.h"
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/udp.h>

static void show(const char *what, int fd)
{
	struct sockaddr_in own = { 0 }, peer = { 0 };
	socklen_t len = sizeof(own);

	getsockname(fd, (struct sockaddr *)&own, &len);
	printf("%s: own %s %s", what, inet_ntoa(own.sin_addr), own.sin_port ? "port" : "no port");
	len = sizeof(peer);
	printf(" peer %s", answer(getpeername(fd, (struct sockaddr *)&peer, &len)));
	printf(" poll %x unread %d error %d\n", polled(fd), queue(fd, SIOCINQ), pending_error(fd));
}

static int bound(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(*addr);

	*addr = ipv4("127.0.0.1", 0);
	bind(fd, (struct sockaddr *)addr, len);
	getsockname(fd, (struct sockaddr *)addr, &len);
	return fd;
}

static void unbound_peers(void)
{
	struct sockaddr_in nobody = ipv4("127.0.0.1", 9), any = ipv4("0.0.0.0", 9);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char byte;

	show("fresh", fd);
	TRY(accept(fd, NULL, NULL));
	TRY(listen(fd, 1));
	TRY(send(fd, "x", 1, 0));
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	TRY(connect(fd, ADDR(nobody)));
	show("connected", fd);
	TRY(send(fd, "x", 1, 0));
	settle();
	show("refused", fd);
	TRY(send(fd, "x", 1, 0));
	settle();
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	TRY(connect(fd, ADDR(none)));
	show("alone", fd);
	TRY(connect(fd, ADDR(none)));
	TRY(connect(fd, ADDR(any)));
	show("with this host", fd);
	TRY(connect(fd, (struct sockaddr *)&none, 1));
	close(fd);
}

static void bound_peers(void)
{
	struct sockaddr_in own;
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = bound(&own);
	char *large = calloc(1, 70000), bytes[8];

	show("bound", fd);
	TRY(connect(fd, ADDR(own)));
	TRY(send(fd, "hello", 5, 0));
	settle();
	show("with itself", fd);
	TRY(recv(fd, bytes, 2, MSG_PEEK | MSG_TRUNC));
	TRY(send(fd, "", 0, 0));
	TRY(recv(fd, bytes, 2, 0));
	show("an empty one left", fd);
	TRY(recv(fd, bytes, 2, 0));
	TRY(recv(fd, bytes, 2, MSG_DONTWAIT));
	TRY(sendto(fd, large, 65508, 0, ADDR(own)));
	TRY(sendto(fd, large, 65507, 0, ADDR(own)));
	TRY(sendto(fd, "x", 1, MSG_OOB, ADDR(own)));
	TRY(sendto(fd, "x", 1, 0, (struct sockaddr *)&own, 8));
	own.sin_family = AF_INET6;
	TRY(sendto(fd, "x", 1, 0, ADDR(own)));
	own.sin_family = AF_UNSPEC;
	TRY(sendto(fd, "x", 1, 0, ADDR(own)));
	TRY(connect(fd, ADDR(none)));
	show("alone", fd);
	free(large);
	close(fd);
}

static void shut(int how)
{
	struct sockaddr_in own;
	int fd = bound(&own);
	char byte;

	printf("-- shutdown %d\n", how);
	TRY(shutdown(fd, how));
	show("unconnected", fd);
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	connect(fd, ADDR(own));
	TRY(shutdown(fd, how));
	show("connected", fd);
	TRY(send(fd, "x", 1, MSG_NOSIGNAL));
	TRY(recv(fd, &byte, 1, MSG_DONTWAIT));
	if (how != SHUT_WR)
		TRY(recv(fd, &byte, 1, 0));
	close(fd);
}

static void queued_error(int fd, size_t room)
{
	char bytes[8], control[256];
	struct iovec iov = { bytes, 3 };
	struct sockaddr_in to;
	struct msghdr message = { &to, sizeof(to), &iov, 1, control, room, 0 };
	long got = recvmsg(fd, &message, MSG_ERRQUEUE);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	printf("%s", answer(got));
	if (got >= 0)
		printf(" flags %x port %d control %zu", message.msg_flags, ntohs(to.sin_port), message.msg_controllen);
	if (got >= 0 && head) {
		struct sock_extended_err *error = (void *)CMSG_DATA(head);

		printf(" level %d type %d length %zu errno %d", head->cmsg_level, head->cmsg_type, head->cmsg_len, error->ee_errno);
		printf(" origin %d type %d code %d", error->ee_origin, error->ee_type, error->ee_code);
	}
	printf(" poll %x\n", polled(fd));
}

static void errors(void)
{
	struct sockaddr_in nobody = ipv4("127.0.0.1", 9);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	for (int round = 0; round < 2; round++) {
		sendto(fd, "first", 5, 0, ADDR(nobody));
		settle();
		sendto(fd, "second", 6, 0, ADDR(nobody));
		settle();
		show("two refused", fd);
		queued_error(fd, 256);
		queued_error(fd, round ? 28 : 256);
		queued_error(fd, 256);
	}
	TRY(sendto(fd, "x", 1, 0, ADDR(nobody)));
	settle();
	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &(int){ 0 }, sizeof(int));
	queued_error(fd, 256);
	close(fd);
}

static void several(void)
{
	struct sockaddr_in to, nowhere = ipv4("255.255.255.255", 9);
	int from = socket(AF_INET, SOCK_DGRAM, 0), fd = bound(&to);
	char bytes[8];
	struct iovec out = { "abc", 3 }, in = { bytes, 4 };
	struct mmsghdr messages[3] = { 0 };

	for (int at = 0; at < 3; at++)
		messages[at].msg_hdr = (struct msghdr){ at == 1 ? &nowhere : &to, sizeof(to), &out, 1 };
	TRY(sendmmsg(from, messages, 3, 0));
	TRY(sendmmsg(from, messages + 1, 2, 0));
	TRY(sendmmsg(from, messages, 0, 0));
	TRY(sendmmsg(-1, messages, 1, 0));
	TRY(sendmmsg(from, (struct mmsghdr *)8, 1, 0));
	sendto(from, "12345", 5, 0, ADDR(to));
	settle();
	for (int at = 0; at < 3; at++)
		messages[at] = (struct mmsghdr){ { NULL, 0, &in, 1 } };
	TRY(recvmmsg(fd, messages, 3, MSG_DONTWAIT, NULL));
	for (int at = 0; at < 2; at++)
		printf("length %u flags %x\n", messages[at].msg_len, messages[at].msg_hdr.msg_flags);
	TRY(recvmmsg(fd, messages, 3, MSG_DONTWAIT, NULL));
	TRY(recvmmsg(fd, messages, 0, 0, NULL));
	TRY(recvmmsg(fd, messages, 1, MSG_DONTWAIT, &((struct timespec){ 0, 2000000000 })));
	sendto(from, "x", 1, 0, ADDR(to));
	TRY(recvmmsg(fd, messages, 3, MSG_WAITFORONE, NULL));
}

static void received_control(void)
{
	struct sockaddr_in to;
	int from = socket(AF_INET, SOCK_DGRAM, 0), fd = bound(&to), one = 1;
	char byte, control[256];
	struct iovec iov = { &byte, 1 };

	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one));
	for (size_t room = 0; room <= 100; room += 4) {
		struct msghdr message = { NULL, 0, &iov, 1, control, room, 0 };

		sendto(from, "x", 1, 0, ADDR(to));
		printf("room %zu: %s", room, answer(recvmsg(fd, &message, 0)));
		printf(" flags %x control %zu", message.msg_flags, message.msg_controllen);
		for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head))
			printf(" [%d %d %zu]", head->cmsg_level, head->cmsg_type, head->cmsg_len);
		puts("");
	}
}

static void sent_control(void)
{
	static const struct {
		int level, type, value;
		size_t length;
	} MESSAGES[] = {
		{ IPPROTO_IP, IP_TTL, 5, 3 },
		{ IPPROTO_IP, IP_TTL, 0, CMSG_LEN(4) },
		{ IPPROTO_IP, IP_TTL, 300, CMSG_LEN(4) },
		{ IPPROTO_IP, IP_TTL, 5, CMSG_LEN(4) },
		{ IPPROTO_IP, 77, 5, CMSG_LEN(4) },
		{ 99, 77, 5, CMSG_LEN(4) },
		{ SOL_SOCKET, 99, 5, CMSG_LEN(4) },
	};
	struct sockaddr_in to;
	struct iovec iov = { "abc", 3 };
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(4)];
	} control = { 0 };
	int from = socket(AF_INET, SOCK_DGRAM, 0);

	bound(&to);
	struct msghdr message = { &to, sizeof(to), &iov, 1, &control, sizeof(control), 0 };
	for (size_t at = 0; at < sizeof(MESSAGES) / sizeof(*MESSAGES); at++) {
		control.head.cmsg_level = MESSAGES[at].level;
		control.head.cmsg_type = MESSAGES[at].type;
		control.head.cmsg_len = MESSAGES[at].length;
		memcpy(CMSG_DATA(&control.head), &MESSAGES[at].value, 4);
		printf("%zu ", at);
		TRY(sendmsg(from, &message, 0));
	}
	message.msg_controllen = 0;
	message.msg_namelen = -1;
	TRY(sendmsg(from, &message, 0));
	message.msg_namelen = 200;
	TRY(sendmsg(from, &message, 0));
	message.msg_namelen = sizeof(to);
	message.msg_iovlen = 1025;
	TRY(sendmsg(from, &message, 0));
	message.msg_iovlen = 0;
	TRY(sendmsg(from, &message, 0));
}

/* Lengths of the datagrams that wait. */
static void show_waiting(const char *what, int fd)
{
	static char bytes[70000];
	long len;

	settle();
	printf("%s:", what);
	while ((len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0)
		printf(" %ld (%c)", len, len ? bytes[0] : '-');
	puts("");
}

static void cork(int fd, int on)
{
	TRY(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)));
}

static void corked(void)
{
	struct sockaddr_in to, other;
	int from = socket(AF_INET, SOCK_DGRAM, 0), fd = bound(&to), elsewhere = bound(&other), mark = 5;
	char *large = calloc(1, 70000), control[CMSG_SPACE(4)] = { 0 };
	struct iovec iov = { "m", 1 };
	struct msghdr message = { &to, sizeof(to), &iov, 1, control, sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	TRY(send(from, "x", 1, MSG_MORE));
	TRY(sendto(from, "abc", 3, MSG_MORE, ADDR(to)));
	show_waiting("nothing yet", fd);
	/* The first address counts. */
	TRY(sendto(from, "de", 2, MSG_MORE, ADDR(other)));
	TRY(send(from, "f", 1, 0));
	show_waiting("together", fd);
	show_waiting("not there", elsewhere);
	TRY(sendto(from, "", 0, MSG_MORE, ADDR(to)));
	TRY(send(from, "", 0, 0));
	show_waiting("empty", fd);
	TRY(connect(from, ADDR(to)));
	cork(from, 1);
	TRY(send(from, "12", 2, 0));
	TRY(send(from, "3", 1, 0));
	show_waiting("corked", fd);
	cork(from, 0);
	show_waiting("uncorked", fd);
	cork(from, 0);
	TRY(send(from, large, 40000, MSG_MORE));
	TRY(send(from, large, 40000, MSG_MORE));
	TRY(send(from, "z", 1, 0));
	show_waiting("too much", fd);
	TRY(send(from, large, 65507, MSG_MORE));
	TRY(send(from, "", 0, 0));
	show_waiting("as much as fits", fd);
	TRY(send(from, "kept", 4, MSG_MORE));
	close(from);
	show_waiting("closed", fd);
	from = socket(AF_INET, SOCK_DGRAM, 0);
	*head = (struct cmsghdr){ CMSG_LEN(4), SOL_SOCKET, SO_MARK };
	memcpy(CMSG_DATA(head), &mark, sizeof(mark));
	TRY(sendmsg(from, &message, 0));
	head->cmsg_len = CMSG_LEN(2);
	TRY(sendmsg(from, &message, 0));
	show_waiting("marked", fd);
}

static void uncut(void)
{
	static const int HOW[] = { IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, IP_PMTUDISC_DO, IP_PMTUDISC_PROBE };
	struct sockaddr_in to;
	int from = socket(AF_INET, SOCK_DGRAM, 0), fd = bound(&to);
	char *large = calloc(1, 70000);
	struct ifreq lo = { .ifr_name = "lo" };

	for (int small = 0; small < 2; small++) {
		if (small) {
			lo.ifr_mtu = 1500;
			TRY(ioctl(fd, SIOCSIFMTU, &lo));
		}
		for (size_t at = 0; at < sizeof(HOW) / sizeof(*HOW); at++) {
			TRY(setsockopt(from, IPPROTO_IP, IP_MTU_DISCOVER, &HOW[at], sizeof(int)));
			TRY(sendto(from, large, 1472, 0, ADDR(to)));
			TRY(sendto(from, large, 1473, 0, ADDR(to)));
			TRY(sendto(from, large, 65507, 0, ADDR(to)));
			show_waiting("uncut", fd);
		}
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	alarm(60);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "peers")) {
		unbound_peers();
		bound_peers();
		for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
			shut(how);
	}
	if (!strcmp(what, "errors"))
		errors();
	if (!strcmp(what, "several"))
		several();
	if (!strcmp(what, "control")) {
		received_control();
		sent_control();
	}
	if (!strcmp(what, "corked"))
		corked();
	if (!strcmp(what, "uncut"))
		uncut();
	return 0;
}
