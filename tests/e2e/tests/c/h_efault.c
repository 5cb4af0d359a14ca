/*
 * Bad addresses: h_efault DIR MODE reads lines "NAME NUMBER SIX-ARGUMENTS" from standard input, each argument a number or
 * a word: fd (an open file of DIR), dir (DIR itself), sock (a listening socket), conn (a connected one), path (DIR/x),
 * name ("x"), size (a socklen_t of 16), buf (128 writable bytes), bad (the address that MODE names). Prints what each answers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static char path[256], name[] = "x";
static long buffer[64];
static socklen_t size = 16;
static int file, dir, listener, connected;

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
	memset(page, 'y', 4096);
	if (!strcmp(mode, "null"))
		return 0;
	if (!strcmp(mode, "kernel"))
		return (long)0xffffffff81000000UL;
	if (!strcmp(mode, "noncanonical"))
		return (long)0x8000000000000000UL;
	if (!strcmp(mode, "readonly") && mprotect(page, 4096, PROT_READ))
		die("mprotect");
	if (munmap(page + 4096, 4096))
		die("munmap");
	if (!strcmp(mode, "unmapped"))
		return (long)(page + 4096);
	/* half: the first byte is there, the next is not */
	return !strcmp(mode, "half") ? (long)(page + 4095) : (long)page;
}

static void prepare(const char *directory)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	snprintf(path, sizeof(path), "%s/x", directory);
	dir = open(directory, O_RDONLY | O_DIRECTORY);
	file = open(path, O_RDWR | O_CREAT, 0600);
	if (dir < 0 || file < 0 || write(file, "some bytes", 10) != 10 || lseek(file, 0, SEEK_SET))
		die(path);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listener, (void *)&address, len) || listen(listener, 5))
		die("listen");
	getsockname(listener, (void *)&address, &len);
	connected = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(connected, (void *)&address, len))
		die("connect");
	fcntl(connected, F_SETFL, O_NONBLOCK);
	if (fchdir(dir))
		die("fchdir");
}

static long value(const char *word, long bad_address)
{
	const struct { const char *word; long value; } known[] = {
		{ "fd", file }, { "dir", dir }, { "sock", listener }, { "conn", connected }, { "path", (long)path },
		{ "name", (long)name }, { "size", (long)&size }, { "buf", (long)buffer }, { "bad", bad_address },
	};
	for (size_t at = 0; at < sizeof(known) / sizeof(*known); at++)
		if (!strcmp(word, known[at].word))
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
	prepare(argv[1]);
	long address = bad(argv[2]);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%31s %ld %23s %23s %23s %23s %23s %23s", call, &number, word[0], word[1], word[2], word[3],
			   word[4], word[5]) != 8)
			return 3;
		size = 16;
		memset(buffer, 0, sizeof(buffer));
		for (int at = 0; at < 6; at++)
			args[at] = value(word[at], address);
		long got = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
		printf("%s %s\n", call, got < 0 ? strerrorname_np(errno) : "ok");
		lseek(file, 0, SEEK_SET);
	}
	return 0;
}
