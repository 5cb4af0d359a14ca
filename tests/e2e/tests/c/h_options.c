/*
 * Socket options of each kind of socket: what they are at first, which values they take, how many bytes they are, and how they
 * are refused. Those whose values are the host's own (sizes of buffers, clocks, cookies) are left out, as are those that
 * Linux has from 6.2 on.
 */
#define _GNU_SOURCE
#include "probe.h"
#include <netinet/tcp.h>
#include <netinet/udp.h>

static const struct {
	const char *name;
	int family, type, protocol;
} SOCKETS[] = {
	{ "tcp", AF_INET, SOCK_STREAM, 0 },    { "tcp6", AF_INET6, SOCK_STREAM, 0 },
	{ "udp", AF_INET, SOCK_DGRAM, 0 },     { "udp6", AF_INET6, SOCK_DGRAM, 0 },
	{ "icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP }, { "icmp6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
	{ "unix stream", AF_UNIX, SOCK_STREAM, 0 },  { "unix datagram", AF_UNIX, SOCK_DGRAM, 0 },
	{ "netlink", AF_NETLINK, SOCK_RAW, 0 },
};

#define OPTION(level, name) { #name, level, name }
static const struct {
	const char *name;
	int level, option;
} OPTIONS[] = {
	OPTION(SOL_SOCKET, SO_REUSEADDR),
	OPTION(SOL_SOCKET, SO_TYPE),
	OPTION(SOL_SOCKET, SO_ERROR),
	OPTION(SOL_SOCKET, SO_DONTROUTE),
	OPTION(SOL_SOCKET, SO_BROADCAST),
	OPTION(SOL_SOCKET, SO_KEEPALIVE),
	OPTION(SOL_SOCKET, SO_OOBINLINE),
	OPTION(SOL_SOCKET, SO_NO_CHECK),
	OPTION(SOL_SOCKET, SO_PRIORITY),
	OPTION(SOL_SOCKET, SO_BSDCOMPAT),
	OPTION(SOL_SOCKET, SO_PASSCRED),
	OPTION(SOL_SOCKET, SO_SNDLOWAT),
	OPTION(SOL_SOCKET, SO_TIMESTAMP),
	OPTION(SOL_SOCKET, SO_TIMESTAMPNS),
	OPTION(SOL_SOCKET, SO_ACCEPTCONN),
	OPTION(SOL_SOCKET, SO_PROTOCOL),
	OPTION(SOL_SOCKET, SO_DOMAIN),
	OPTION(SOL_SOCKET, SO_RXQ_OVFL),
	OPTION(SOL_SOCKET, SO_LOCK_FILTER),
	OPTION(SOL_SOCKET, SO_SELECT_ERR_QUEUE),
	OPTION(SOL_SOCKET, SO_INCOMING_CPU),
	OPTION(SOL_SOCKET, SO_INCOMING_NAPI_ID),
	OPTION(IPPROTO_IP, 0),
	OPTION(IPPROTO_IP, IP_TOS),
	OPTION(IPPROTO_IP, IP_TTL),
	OPTION(IPPROTO_IP, IP_OPTIONS),
	OPTION(IPPROTO_IP, IP_RECVOPTS),
	OPTION(IPPROTO_IP, IP_RETOPTS),
	OPTION(IPPROTO_IP, IP_PKTINFO),
	OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
	OPTION(IPPROTO_IP, IP_RECVERR),
	OPTION(IPPROTO_IP, IP_RECVTTL),
	OPTION(IPPROTO_IP, IP_RECVTOS),
	OPTION(IPPROTO_IP, IP_MTU),
	OPTION(IPPROTO_IP, IP_FREEBIND),
	OPTION(IPPROTO_IP, IP_TRANSPARENT),
	OPTION(IPPROTO_IP, IP_PASSSEC),
	OPTION(IPPROTO_IP, IP_ORIGDSTADDR),
	OPTION(IPPROTO_IP, IP_MINTTL),
	OPTION(IPPROTO_IP, IP_CHECKSUM),
	OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	OPTION(IPPROTO_IP, IP_RECVFRAGSIZE),
	OPTION(IPPROTO_IP, IP_MULTICAST_TTL),
	OPTION(IPPROTO_IP, IP_MULTICAST_LOOP),
	OPTION(IPPROTO_IP, IP_MULTICAST_ALL),
	OPTION(IPPROTO_IP, IP_UNICAST_IF),
	OPTION(IPPROTO_IP, 77),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
	OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
	OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	OPTION(IPPROTO_IPV6, IPV6_RECVERR),
	OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	OPTION(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
	OPTION(IPPROTO_IPV6, IPV6_RECVTCLASS),
	OPTION(IPPROTO_IPV6, IPV6_TCLASS),
	OPTION(IPPROTO_IPV6, IPV6_2292PKTINFO),
	OPTION(IPPROTO_IPV6, IPV6_2292HOPLIMIT),
	OPTION(IPPROTO_IPV6, IPV6_DONTFRAG),
	OPTION(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR),
	OPTION(IPPROTO_IPV6, IPV6_RECVFRAGSIZE),
	OPTION(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL),
	OPTION(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
	OPTION(IPPROTO_IPV6, IPV6_FREEBIND),
	OPTION(IPPROTO_IPV6, IPV6_TRANSPARENT),
	OPTION(IPPROTO_IPV6, IPV6_UNICAST_IF),
	OPTION(IPPROTO_IPV6, 99),
	OPTION(IPPROTO_TCP, TCP_NODELAY),
	OPTION(IPPROTO_TCP, TCP_MAXSEG),
	OPTION(IPPROTO_TCP, TCP_CORK),
	OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(IPPROTO_TCP, TCP_KEEPCNT),
	OPTION(IPPROTO_TCP, TCP_SYNCNT),
	OPTION(IPPROTO_TCP, TCP_LINGER2),
	OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT),
	OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
	OPTION(IPPROTO_TCP, TCP_QUICKACK),
	OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
	OPTION(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS),
	OPTION(IPPROTO_TCP, TCP_THIN_DUPACK),
	OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	OPTION(IPPROTO_TCP, TCP_INQ),
	OPTION(IPPROTO_TCP, 99),
	OPTION(IPPROTO_UDP, UDP_CORK),
	OPTION(IPPROTO_UDP, 99),
};

static const int VALUES[] = { -2, -1, 0, 1, 2, 5, 64, 127, 128, 255, 256, 1000, 32767, 32768, 65535, 65536, 0x7fffffff };
#define COUNT(of) (int)(sizeof(of) / sizeof(*of))

static int fresh(int kind)
{
	return socket(SOCKETS[kind].family, SOCKETS[kind].type, SOCKETS[kind].protocol);
}

static void get(int fd, int level, int option, socklen_t room)
{
	unsigned char bytes[64];
	socklen_t len = room;
	long got = getsockopt(fd, level, option, bytes, &len);

	printf(" [%d] %s", (int)room, got < 0 ? strerrorname_np(errno) : "");
	for (socklen_t at = 0; got == 0 && at < len; at++)
		printf("%02x", bytes[at]);
}

static void probe(int kind, int at)
{
	int level = OPTIONS[at].level, option = OPTIONS[at].option, fd = fresh(kind);
	const char bytes[4] = { 1 };

	printf("%s %s:", SOCKETS[kind].name, OPTIONS[at].name);
	get(fd, level, option, 64);
	get(fd, level, option, 1);
	get(fd, level, option, 0);
	close(fd);
	for (socklen_t len = 0; len < 4; len++) {
		fd = fresh(kind);
		printf(" %s", answer(setsockopt(fd, level, option, bytes, len)));
		close(fd);
	}
	for (int value = 0; value < COUNT(VALUES); value++) {
		fd = fresh(kind);
		printf(" %d: %s", VALUES[value], answer(setsockopt(fd, level, option, &VALUES[value], 4)));
		get(fd, level, option, 4);
		close(fd);
	}
	puts("");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (int kind = 0; kind < COUNT(SOCKETS); kind++)
		for (int at = 0; at < COUNT(OPTIONS); at++)
			probe(kind, at);
	return 0;
}
