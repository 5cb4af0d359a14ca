/* What the probes of sockets have in common: each prints what calls answer, so that two kernels can be compared. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* No probe has use for all of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define ADDR(x) (struct sockaddr *)&(x), sizeof(x)
#define TRY(call) tried(#call, (call))

/* A call's number, or the name of its error. */
static long tried(const char *call, long result)
{
	if (result < 0)
		printf("%s: %s\n", call, strerrorname_np(errno));
	else
		printf("%s: %ld\n", call, result);
	return result;
}

static struct sockaddr_in ipv4(const char *ip, int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &addr.sin_addr);
	return addr;
}

static struct sockaddr_in6 ipv6(const char *ip, int port)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	inet_pton(AF_INET6, ip, &addr.sin6_addr);
	return addr;
}

/* Long enough for whatever is on its way over lo. */
static void settle(void)
{
	usleep(20000);
}

static int polled(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static int queue(int fd, unsigned long which)
{
	int n = -1;

	return ioctl(fd, which, &n) < 0 ? -errno : n;
}

static int pending_error(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

static const char *answer(long result)
{
	static char texts[8][24];
	static int at;

	if (result < 0)
		return strerrorname_np(errno);
	at = (at + 1) % 8;
	snprintf(texts[at], sizeof(texts[at]), "%ld", result);
	return texts[at];
}
