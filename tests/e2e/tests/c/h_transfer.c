/* Bytes moved from one descriptor to another, through pipes of the host: h_transfer DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "say.h"

static void connected(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(ends[0], (struct sockaddr *)&address, length);
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void show(const char *what, int fd, size_t room)
{
	char text[64] = "";
	ssize_t got = read(fd, text, room < 63 ? room : 63);
	printf("%s: %zd \"%s\" %s\n", what, got, text, got == -1 ? strerror(errno) : "");
}

static void files_and_pipes(void)
{
	int file = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644), ends[2];
	loff_t offset = 2;
	pipe(ends);
	write(file, "0123456789", 10);
	say("file to pipe by offset", splice(file, &offset, ends[1], NULL, 4, 0));
	say("offset", offset);
	say("position stays", lseek(file, 0, SEEK_CUR));
	show("pipe", ends[0], 63);
	lseek(file, 6, SEEK_SET);
	say("file to pipe by position", splice(file, NULL, ends[1], NULL, 100, 0));
	say("position", lseek(file, 0, SEEK_CUR));
	show("pipe", ends[0], 63);
	say("at the end", splice(file, NULL, ends[1], NULL, 100, 0));
	write(ends[1], "abcdef", 6);
	offset = 8;
	say("pipe to file by offset", splice(ends[0], NULL, file, &offset, 4, 0));
	say("offset", offset);
	say("rest", splice(ends[0], NULL, file, NULL, 100, SPLICE_F_NONBLOCK));
	say("nothing", splice(ends[0], NULL, file, NULL, 100, SPLICE_F_NONBLOCK));
	lseek(file, 0, SEEK_SET);
	show("file", file, 63);
	say("offset of a pipe", splice(ends[0], &offset, file, NULL, 1, 0));
	say("no pipe", splice(file, NULL, file, NULL, 1, 0));
	say("no length", splice(file, NULL, ends[1], NULL, 0, 0));
	say("bad descriptor", splice(file, NULL, 999, NULL, 1, 0));
	close(ends[1]);
	say("no writer", splice(ends[0], NULL, file, NULL, 100, 0));
	close(ends[0]);
	close(file);
}

static void sockets_and_pipes(void)
{
	int pair[2], ends[2];
	connected(pair);
	pipe(ends);
	write(ends[1], "through", 7);
	say("pipe to socket", splice(ends[0], NULL, pair[0], NULL, 100, SPLICE_F_MOVE));
	show("socket", pair[1], 63);
	write(pair[0], "and back", 8);
	say("socket to pipe", splice(pair[1], NULL, ends[1], NULL, 3, 0));
	show("pipe", ends[0], 63);
	show("left in the socket", pair[1], 63);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	say("empty socket", splice(pair[1], NULL, ends[1], NULL, 3, SPLICE_F_NONBLOCK));
	loff_t offset = 0;
	say("offset of a socket", splice(pair[1], &offset, ends[1], NULL, 3, 0));
	shutdown(pair[0], SHUT_WR);
	usleep(10000);
	say("socket's end", splice(pair[1], NULL, ends[1], NULL, 3, 0));
	/* A full pipe takes nothing, and nothing is lost. */
	char *much = calloc(1, 1 << 16);
	say("pipe filled", write(ends[1], much, 1 << 16));
	write(pair[1], "kept", 4);
	usleep(10000);
	say("full pipe", splice(pair[0], NULL, ends[1], NULL, 4, SPLICE_F_NONBLOCK));
	show("kept", pair[0], 63);
	free(much);
	close(pair[0]);
	close(pair[1]);
	close(ends[0]);
	close(ends[1]);
}

/* More than fits anywhere, from a child through a pipe into a socket and out again. */
static void a_stream(void)
{
	enum { TOTAL = 3 << 20 };
	int pair[2], ends[2];
	connected(pair);
	pipe(ends);
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	if (fork() == 0) {
		close(pair[1]);
		unsigned char *bytes = malloc(TOTAL);
		for (int at = 0; at < TOTAL; at++)
			bytes[at] = at * 7 >> 3;
		for (long sent = 0; sent < TOTAL;) {
			sent += write(ends[1], bytes + sent, TOTAL - sent > 300000 ? 300000 : TOTAL - sent);
			for (long left = sent; left > 0;) {
				long moved = splice(ends[0], NULL, pair[0], NULL, 1 << 20, SPLICE_F_NONBLOCK);
				if (moved <= 0)
					break;
			}
		}
		_exit(0);
	}
	close(pair[0]);
	close(ends[1]);
	long got = 0, wrong = 0;
	unsigned char buffer[8192];
	for (ssize_t length; (length = read(pair[1], buffer, sizeof(buffer))) > 0; got += length)
		for (ssize_t at = 0; at < length; at++)
			wrong += buffer[at] != (unsigned char)((got + at) * 7 >> 3);
	say("stream", got);
	say("wrong bytes", wrong);
	close(pair[1]);
	close(ends[0]);
}

static void sent_files(void)
{
	int file = open("source", O_CREAT | O_RDWR | O_TRUNC, 0644), pair[2], ends[2], copy = open("copy", O_CREAT | O_RDWR | O_TRUNC, 0644);
	int null = open("/dev/zero", O_RDONLY);
	off_t offset = 3;
	write(file, "0123456789", 10);
	connected(pair);
	pipe(ends);
	say("file to socket", sendfile(pair[0], file, &offset, 4));
	say("offset", offset);
	show("socket", pair[1], 63);
	lseek(file, 5, SEEK_SET);
	say("file to pipe", sendfile(ends[1], file, NULL, 100));
	say("position", lseek(file, 0, SEEK_CUR));
	show("pipe", ends[0], 63);
	lseek(file, 0, SEEK_SET);
	say("file to file", sendfile(copy, file, NULL, 100));
	say("size", lseek(copy, 0, SEEK_END));
	offset = 100;
	say("behind the end", sendfile(pair[0], file, &offset, 4));
	say("out of a socket", sendfile(copy, pair[1], NULL, 4));
	say("range within", copy_file_range(file, &(loff_t){ 0 }, copy, &(loff_t){ 10 }, 10, 0));
	say("size", lseek(copy, 0, SEEK_END));
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	int big = open("big", O_CREAT | O_RDWR | O_TRUNC, 0644);
	ftruncate(big, 64 << 20);
	offset = 0;
	long first = sendfile(pair[0], big, &offset, 64 << 20);
	printf("partial: %d\n", first > 0 && first < 64 << 20 && offset == first);
	while ((first = sendfile(pair[0], big, &offset, 64 << 20)) > 0)
		;
	say("full", first);
	close(pair[1]);
	usleep(10000);
	signal(SIGPIPE, SIG_IGN);
	sendfile(pair[0], file, &(off_t){ 0 }, 4);
	say("gone", sendfile(pair[0], file, &(off_t){ 0 }, 4));
	close(null);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) == -1)
		return 2;
	files_and_pipes();
	sockets_and_pipes();
	a_stream();
	sent_files();
	return 0;
}
