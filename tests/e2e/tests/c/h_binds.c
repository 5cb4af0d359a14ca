/* Which sockets may be bound to the same port: every pair of addresses, types and SO_REUSEADDR, SO_REUSEPORT. */
#define _GNU_SOURCE
#include "probe.h"

static const char *const NAMES[] = {
	"0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::1", "only ::", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
};
#define COUNT (int)(sizeof(NAMES) / sizeof(*NAMES))
#define FIRST_V6 3
#define ONLY_V6 5

/* The port that it has got, else -errno. */
static int try_bind(int *fd, int type, int name, int reuse, int port)
{
	int one = 1, six = name >= FIRST_V6;
	struct sockaddr_in6 addr = ipv6(name == ONLY_V6 ? "::" : NAMES[name], port);
	struct sockaddr_in old = ipv4(NAMES[name], port);
	socklen_t len = six ? sizeof(addr) : sizeof(old);

	*fd = socket(six ? AF_INET6 : AF_INET, type, 0);
	if (reuse & 1)
		setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (reuse & 2)
		setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (name == ONLY_V6)
		setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(*fd, six ? (struct sockaddr *)&addr : (struct sockaddr *)&old, len) < 0)
		return -errno;
	len = sizeof(addr);
	getsockname(*fd, (struct sockaddr *)&addr, &len);
	return ntohs(addr.sin6_port);
}

static void pair(int type, int reuse[2], int first, int second)
{
	int fds[2];
	int port = try_bind(&fds[0], type, first, reuse[0], 0);
	int other = try_bind(&fds[1], type, second, reuse[1], port);

	if (other < 0)
		printf(" %s", other == -EADDRINUSE ? "taken" : strerrorname_np(-other));
	else if (type == SOCK_STREAM)
		printf(" %d%d", listen(fds[0], 1) == 0, listen(fds[1], 1) == 0);
	else
		printf(" both");
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (int row = 0; row < 2 * 16 * COUNT; row++) {
		int type = row / (16 * COUNT), first = row % COUNT;
		int reuse[] = { row / COUNT % 4, row / COUNT / 4 % 4 };

		printf("%s %d %d %s:", type ? "udp" : "tcp", reuse[0], reuse[1], NAMES[first]);
		for (int second = 0; second < COUNT; second++)
			pair(types[type], reuse, first, second);
		puts("");
	}
	return 0;
}
