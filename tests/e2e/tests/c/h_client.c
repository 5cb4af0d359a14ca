/* The client of t_asyncio and t_config: h_client {select_timeout|select_allunset|invafd|fdoff8}. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void expect(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "expected: %s\n", what);
		exit(1);
	}
}

static void select_timeout(void)
{
	int pipes[2];
	if (pipe(pipes) == -1)
		die("pipe");
	fd_set set;
	FD_ZERO(&set);
	FD_SET(pipes[0], &set);
	struct timeval time = { 0, 1 };
	expect(select(pipes[0] + 1, &set, NULL, NULL, &time) == 0, "select answers 0");
	expect(!FD_ISSET(pipes[0], &set), "the descriptor is cleared");
}

static void select_allunset(void)
{
	fd_set sets[3];
	for (int at = 0; at < 3; at++)
		FD_ZERO(&sets[at]);
	struct timeval time = { 0, 1 };
	expect(select(100, &sets[0], &sets[1], &sets[2], &time) == 0, "select of empty sets answers 0");
	time = (struct timeval){ 0, 1 };
	expect(select(0, NULL, NULL, NULL, &time) == 0, "select of no sets answers 0");
}

static void invafd(void)
{
	int fd = open("/rump/dev/null", O_RDWR);
	if (fd == -1)
		die("/rump/dev/null");
	close(fd);
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	expect(poll(fds, 2, -1) == 1, "poll answers 1");
	expect(fds[0].revents == 0, "nothing on standard input");
	expect(fds[1].revents == POLLNVAL, "POLLNVAL on what is closed");
}

/* Where the original ends in ENFILE, the host descriptor gets another number. */
static void fdoff8(void)
{
	int fd = 0;
	while (fd < 7)
		if ((fd = open("/dev/null", O_RDWR)) == -1)
			die("/dev/null");
	int rump = open("/rump/dev/null", O_RDWR);
	expect(rump == 8, "the rump descriptor is fdoff");
	int host = open("/dev/null", O_RDWR);
	expect(host != -1 && host != rump, "the next host descriptor gets another number");
	int second = open("/rump/dev/zero", O_RDWR);
	expect(second != -1 && second != host && second != rump, "and so does the next rump one");
	char byte = 1;
	expect(read(rump, &byte, 1) == 0, "one is null");
	expect(read(host, &byte, 1) == 0, "the host's is null");
	expect(read(second, &byte, 1) == 1 && byte == 0, "the other is zero");
}

int main(int argc, char **argv)
{
	const char *which = argc == 2 ? argv[1] : "";
	if (strcmp(which, "select_timeout") == 0)
		select_timeout();
	else if (strcmp(which, "select_allunset") == 0)
		select_allunset();
	else if (strcmp(which, "invafd") == 0)
		invafd();
	else if (strcmp(which, "fdoff8") == 0)
		fdoff8();
	else
		expect(0, "the name of a case");
	return 0;
}
