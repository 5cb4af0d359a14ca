/*
 * Bad addresses: h_efault DIR MODE reads lines "NAME NUMBER SIX-ARGUMENTS" from standard input, each argument a number or
 * a word: fd (an open file of DIR), dir (DIR itself), sock (a listening socket), conn (a connected one), pipe (the writing end of
 * a host pipe), epoll, inotify, path (DIR/x), name ("x"), exec ("e", this program), size (a socklen_t of 16),
 * buf (128 writable bytes), bad (the address that MODE names); poll (a struct pollfd of conn), set and nfds (an fd_set with conn),
 * time (no time at all), mask (a sigset_t), event (a struct epoll_event), zero (an offset); iov, msg and mmsg with a good buffer,
 * and iov.base, msg.iov, msg.base, msg.name, msg.control, mmsg.iov and so on, in which that one is bad. Prints what each answers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char path[256], name[] = "x", executable[] = "e";
static long buffer[64], control[8];
static socklen_t size = 16;
static int file, dir, listener, connected, pipes[2], set_of_events, notifier;
static struct pollfd polled;
static fd_set set;
static struct timespec no_time;
static sigset_t mask;
static struct epoll_event event;
static loff_t zero;
static struct iovec iov;
static struct mmsghdr message;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long bad(const char *mode)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		die("mmap");
	/* A string that does not end in the page; in front what is no family and no lock, and a set of open descriptors. */
	page[0] = 1 << 3 | 1 << 4;
	page[4095] = 'y';
	if (!strcmp(mode, "null"))
		return 0;
	if (!strcmp(mode, "kernel"))
		return (long)0xffffffff81000000UL;
	if (!strcmp(mode, "noncanonical"))
		return (long)0x8000000000000000UL;
	if (!strcmp(mode, "readonly") && mprotect(page, 4096, PROT_READ))
		die("mprotect");
	/* Nothing is mapped so low; a hole between mappings would be filled by the next one. */
	if (!strcmp(mode, "unmapped"))
		return 0x10000;
	if (mprotect(page + 4096, 4096, PROT_NONE))
		die("mprotect");
	/* half: the first byte is there, the next is not */
	return !strcmp(mode, "half") ? (long)(page + 4095) : (long)page;
}

/* A program to run. Without arguments and environment (null pointers) it would be run: then it is an empty file. */
static void copy_program(int is_empty)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(executable, O_WRONLY | O_CREAT, 0700);
	static char bytes[65536];
	ssize_t len = is_empty ? 0 : read(from, bytes, sizeof(bytes));

	if (from < 0 || to < 0 || write(to, bytes, len) != len)
		die(executable);
	close(from);
	close(to);
}

static void prepare(const char *directory, const char *mode)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	static char bytes[32768];
	int first = -1;

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	snprintf(path, sizeof(path), "%s/x", directory);
	dir = open(directory, O_RDONLY | O_DIRECTORY);
	file = open(path, O_RDWR | O_CREAT, 0600);
	if (dir < 0 || file < 0 || write(file, "some bytes", 10) != 10 || lseek(file, 0, SEEK_SET))
		die(path);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listener, (void *)&address, len) || listen(listener, 20))
		die("listen");
	getsockname(listener, (void *)&address, &len);
	/* The first has bytes to read; the others wait to be accepted. */
	for (int at = 0; at < 10; at++) {
		connected = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(connected, (void *)&address, len))
			die("connect");
		if (at == 0 && write(accept(listener, NULL, NULL), bytes, sizeof(bytes)) != sizeof(bytes))
			die("accept");
		if (at == 0)
			first = connected;
	}
	connected = first;
	fcntl(connected, F_SETFL, O_NONBLOCK);
	if (fchdir(dir))
		die("fchdir");
	copy_program(!strcmp(mode, "null"));
	set_of_events = epoll_create1(0);
	notifier = inotify_init1(0);
	if (pipe2(pipes, O_NONBLOCK))
		die("pipe");
}

/* Everything as it was before the last call, and one of the structures' addresses bad. */
static void renew(const char *word, long bad_address)
{
	const char *part = strchr(word, '.');

	size = 16;
	zero = 0;
	memset(buffer, 0, sizeof(buffer));
	memset(control, 0, sizeof(control));
	polled = (struct pollfd){ .fd = connected, .events = POLLIN | POLLOUT };
	FD_ZERO(&set);
	FD_SET(connected, &set);
	no_time = (struct timespec){ 0 };
	event = (struct epoll_event){ .events = EPOLLIN };
	iov = (struct iovec){ buffer, 16 };
	message.msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	if (!part)
		return;
	if (!strcmp(part, ".base"))
		iov.iov_base = (void *)bad_address;
	if (!strcmp(part, ".iov"))
		message.msg_hdr.msg_iov = (void *)bad_address;
	if (!strcmp(part, ".name")) {
		message.msg_hdr.msg_name = (void *)bad_address;
		message.msg_hdr.msg_namelen = 16;
	}
	if (!strcmp(part, ".control")) {
		message.msg_hdr.msg_control = (void *)bad_address;
		message.msg_hdr.msg_controllen = 24;
	}
}

static size_t until_part(const char *word)
{
	return strcspn(word, ".");
}

static long value(const char *word, long bad_address)
{
	const struct { const char *word; long value; } known[] = {
		{ "fd", file }, { "dir", dir }, { "sock", listener }, { "conn", connected }, { "path", (long)path },
		{ "name", (long)name }, { "size", (long)&size }, { "buf", (long)buffer }, { "bad", bad_address },
		{ "exec", (long)executable }, { "pipe", pipes[1] }, { "epoll", set_of_events }, { "inotify", notifier }, { "poll", (long)&polled },
		{ "set", (long)&set }, { "nfds", connected + 1 }, { "time", (long)&no_time }, { "mask", (long)&mask },
		{ "event", (long)&event }, { "zero", (long)&zero }, { "iov", (long)&iov }, { "msg", (long)&message.msg_hdr },
		{ "mmsg", (long)&message },
	};
	for (size_t at = 0; at < sizeof(known) / sizeof(*known); at++)
		if (!strncmp(word, known[at].word, until_part(word)) && !known[at].word[until_part(word)])
			return known[at].value;
	return strtol(word, NULL, 0);
}

int main(int argc, char **argv)
{
	char line[256], call[32], word[6][24];
	long args[6], number;

	if (argc != 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	prepare(argv[1], argv[2]);
	long address = bad(argv[2]);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%31s %ld %23s %23s %23s %23s %23s %23s", call, &number, word[0], word[1], word[2], word[3],
			   word[4], word[5]) != 8)
			return 3;
		renew("", address);
		for (int at = 0; at < 6; at++)
			if (strchr(word[at], '.'))
				renew(word[at], address);
		for (int at = 0; at < 6; at++)
			args[at] = value(word[at], address);
		long got = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
		printf("%s %s\n", call, got < 0 ? strerrorname_np(errno) : "ok");
		fflush(stdout);
		lseek(file, 0, SEEK_SET);
	}
	return 0;
}
