/*
 * AF_UNIX sockets: h_unix WHAT TYPE, TYPE being the number of SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
 * rights: descriptors in messages, more than there is room for, looked at, and those that are none.
 * names: names that are bound, and connections to them.
 * ends: shutdown(2) and close(2), flags and counts.
 */
#define _GNU_SOURCE
#include "probe.h"

#define MANY 300

static int type;

static void send_fds(const char *what, int to, const int *fds, int count, size_t bytes)
{
	struct iovec iov = { "f", bytes };
	char control[CMSG_SPACE(MANY * sizeof(int))] = { 0 };
	struct msghdr message = { NULL, 0, &iov, 1, control, CMSG_SPACE(count * sizeof(int)), 0 };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	printf("send %s: %s\n", what, answer(sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL)));
}

static void show_fds(const struct cmsghdr *head)
{
	size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t at = 0; at < count; at++) {
		int fd;

		memcpy(&fd, CMSG_DATA(head) + at * sizeof(int), sizeof(fd));
		printf(" descriptor %x", fcntl(fd, F_GETFD));
		close(fd);
	}
}

static void receive(const char *what, int fd, size_t room, int flags)
{
	char bytes[8], control[2048];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr message = { NULL, 0, &iov, 1, control, room, 0 };
	long got = recvmsg(fd, &message, flags | MSG_DONTWAIT);

	printf("receive %s: %s", what, answer(got));
	if (got >= 0)
		printf(" flags %x control %zu", message.msg_flags, message.msg_controllen);
	for (struct cmsghdr *head = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL; head; head = CMSG_NXTHDR(&message, head)) {
		printf(" [%d %d %zu", head->cmsg_level, head->cmsg_type, head->cmsg_len);
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			show_fds(head);
		printf("]");
	}
	puts("");
}

static void odd_rights(int ends[2], int *files)
{
	int many[MANY], bad = -1, closed = 999;

	for (int at = 0; at < MANY; at++)
		many[at] = files[0];
	send_fds("254", ends[0], many, 254, 1);
	send_fds("253", ends[0], many, 253, 1);
	receive("one of 253", ends[1], CMSG_LEN(sizeof(int)), 0);
	send_fds("-1", ends[0], &bad, 1, 1);
	send_fds("closed", ends[0], &closed, 1, 1);
	send_fds("without bytes", ends[0], files, 1, 0);
	receive("without bytes", ends[1], 200, 0);
	receive("nothing", ends[1], 200, 0);
	send_fds("the socket itself", ends[0], ends, 2, 1);
	receive("the socket itself", ends[1], 200, 0);
}

static void rights(void)
{
	int ends[2], files[2], one = 1;
	char byte;

	socketpair(AF_UNIX, type, 0, ends);
	pipe(files);
	send_fds("one", ends[0], files, 1, 1);
	receive("one", ends[1], 200, 0);
	send_fds("two", ends[0], files, 2, 1);
	receive("one of two", ends[1], CMSG_LEN(sizeof(int)), 0);
	send_fds("two", ends[0], files, 2, 1);
	receive("with little room", ends[1], 10, 0);
	send_fds("two", ends[0], files, 2, 1);
	receive("without room", ends[1], 0, 0);
	send_fds("one", ends[0], files, 1, 1);
	receive("MSG_CMSG_CLOEXEC", ends[1], 200, MSG_CMSG_CLOEXEC);
	send_fds("one", ends[0], files, 1, 1);
	receive("MSG_PEEK", ends[1], 200, MSG_PEEK);
	receive("what was looked at", ends[1], 200, 0);
	odd_rights(ends, files);
	send_fds("one", ends[0], files, 1, 1);
	TRY(read(ends[1], &byte, 1));
	send_fds("one", ends[0], files, 1, 1);
	TRY(send(ends[0], "x", 1, 0));
	send_fds("two", ends[0], files, 2, 1);
	for (int at = 0; at < 4; at++)
		receive("in order", ends[1], 200, 0);
	setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	send(ends[0], "cred", 4, 0);
	receive("SO_PASSCRED", ends[1], 200, 0);
	send(ends[0], "cred", 4, 0);
	receive("SO_PASSCRED with little room", ends[1], 20, 0);
	send_fds("one", ends[0], files, 1, 1);
	receive("both", ends[1], 200, 0);
}

static void ends(void)
{
	int pair[2];
	char bytes[64];

	socketpair(AF_UNIX, type, 0, pair);
	send(pair[0], "abcdef", 6, 0);
	printf("unread %d, unsent %d, poll %x %x\n", queue(pair[1], SIOCINQ), queue(pair[0], SIOCOUTQ) > 0, polled(pair[0]), polled(pair[1]));
	TRY(recv(pair[1], bytes, 2, MSG_TRUNC));
	TRY(recv(pair[1], bytes, 2, MSG_WAITALL | MSG_DONTWAIT));
	while (recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	send(pair[0], "left", 4, 0);
	TRY(shutdown(pair[0], SHUT_WR));
	printf("poll %x %x\n", polled(pair[0]), polled(pair[1]));
	TRY(send(pair[0], "x", 1, MSG_NOSIGNAL));
	TRY(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT));
	TRY(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT));
	TRY(shutdown(pair[0], SHUT_RD));
	printf("poll %x %x\n", polled(pair[0]), polled(pair[1]));
	TRY(recv(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT));
	TRY(send(pair[1], "x", 1, MSG_NOSIGNAL));
	close(pair[0]);
	printf("poll %x error %d\n", polled(pair[1]), pending_error(pair[1]));
	TRY(send(pair[1], "x", 1, MSG_NOSIGNAL));
	TRY(recv(pair[1], bytes, 1, MSG_DONTWAIT));
	close(pair[1]);
	puts("-- closed with something unread");
	socketpair(AF_UNIX, type, 0, pair);
	send(pair[1], "u", 1, 0);
	close(pair[0]);
	printf("poll %x\n", polled(pair[1]));
	TRY(recv(pair[1], bytes, 1, MSG_DONTWAIT));
	TRY(recv(pair[1], bytes, 1, MSG_DONTWAIT));
}

static socklen_t name_len(int fd, int (*whose)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	return whose(fd, (struct sockaddr *)&addr, &len) < 0 ? 0 : len;
}

static void names(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	const socklen_t empty = sizeof(sa_family_t), len = sizeof(sa_family_t) + 7;
	int alone = socket(AF_UNIX, type, 0), named = socket(AF_UNIX, type, 0), other = socket(AF_UNIX, type, 0);
	int foreign = socket(AF_UNIX, type == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM, 0);
	char byte;

	printf("name %u poll %x\n", name_len(alone, getsockname), polled(alone));
	TRY(send(alone, "x", 1, MSG_NOSIGNAL));
	TRY(recv(alone, &byte, 1, MSG_DONTWAIT));
	TRY(bind(alone, (struct sockaddr *)&addr, empty));
	printf("name %u\n", name_len(alone, getsockname));
	TRY(bind(alone, (struct sockaddr *)&addr, empty));
	memcpy(addr.sun_path + 1, "h_unix", 6);
	TRY(bind(alone, (struct sockaddr *)&addr, len));
	TRY(bind(named, (struct sockaddr *)&addr, len));
	TRY(bind(other, (struct sockaddr *)&addr, len));
	TRY(connect(other, (struct sockaddr *)&addr, len));
	TRY(listen(named, 0));
	TRY(connect(other, (struct sockaddr *)&addr, len));
	TRY(connect(other, (struct sockaddr *)&addr, len + 9));
	printf("peer %u poll %x\n", name_len(other, getpeername), polled(other));
	fcntl(named, F_SETFL, O_NONBLOCK);
	TRY(accept(named, NULL, NULL) < 0 ? -1 : 0);
	TRY(accept(named, NULL, NULL));
	TRY(connect(other, ADDR(none)));
	TRY(connect(foreign, (struct sockaddr *)&addr, len));
	addr.sun_path[1] = 'z';
	TRY(connect(foreign, (struct sockaddr *)&addr, len));
	addr.sun_family = AF_INET;
	TRY(connect(foreign, (struct sockaddr *)&addr, len));
	TRY(bind(foreign, (struct sockaddr *)&addr, len));
	TRY(listen(foreign, 1));
	TRY(shutdown(foreign, SHUT_RDWR));
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	alarm(60);
	setvbuf(stdout, NULL, _IOLBF, 0);
	type = argc > 2 ? atoi(argv[2]) : 0;
	if (!strcmp(what, "rights"))
		rights();
	if (!strcmp(what, "names"))
		names();
	if (!strcmp(what, "ends"))
		ends();
	return 0;
}
