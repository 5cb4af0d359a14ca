/* A file that is read again and again, and all that can happen to it meanwhile: h_direct DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

enum { SIZE = 2 << 20, READS = 40, PIECE = 4096 };

static unsigned char byte_at(long at)
{
	return (unsigned char)(at * 7 % 251);
}

/* Makes the file, and reads it some times: only then it pays to move it. */
static void make(const char *name)
{
	static unsigned char all[SIZE], again[SIZE];
	for (long at = 0; at < SIZE; at++)
		all[at] = byte_at(at);
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	say("written", write(fd, all, SIZE));
	close(fd);
	fd = open(name, O_RDONLY);
	for (int times = 0; times < 5; times++)
		say("read", pread(fd, again, SIZE, 0));
	say("as written", memcmp(all, again, SIZE));
	close(fd);
}

static int is_right(const unsigned char *bytes, ssize_t count, long at)
{
	for (ssize_t i = 0; i < count; i++)
		if (bytes[i] != byte_at(at + i))
			return 0;
	return 1;
}

/* One that was read often, at READS * PIECE now. */
static int read_often(const char *name)
{
	static unsigned char piece[PIECE];
	int fd = open(name, O_RDONLY), right = 1;
	for (long i = 0; i < READS; i++)
		right &= read(fd, piece, PIECE) == PIECE && is_right(piece, PIECE, i * PIECE);
	printf("%s: right %d, at %ld\n", name, right, (long)lseek(fd, 0, SEEK_CUR));
	return fd;
}

/* The next bytes, and whether they are those that lie at the position. */
static void show(const char *what, int fd)
{
	unsigned char bytes[100];
	long at = lseek(fd, 0, SEEK_CUR);
	ssize_t got = read(fd, bytes, sizeof bytes);
	printf("%s: %zd at %ld, right %d, then %ld\n", what, got, at, is_right(bytes, got, at), (long)lseek(fd, 0, SEEK_CUR));
	fflush(stdout);
}

/* No memory of the program's. */
static void *volatile nowhere = (void *)8;

static void positions(int fd)
{
	unsigned char bytes[64];
	say("pread", pread(fd, bytes, 64, 1000));
	say("right", is_right(bytes, 64, 1000));
	show("next", fd);
	say("into nowhere", read(fd, nowhere, 10));
	show("as if nothing was", fd);
	say("from the end", lseek(fd, -50, SEEK_END));
	show("the rest", fd), show("the end", fd);
	say("before the start", lseek(fd, -1, SEEK_SET));
	say("no such whence", lseek(fd, 0, 77));
	say("beyond", lseek(fd, SIZE + 5, SEEK_SET));
	say("nothing there", read(fd, bytes, 1));
	say("data", lseek(fd, 5, SEEK_DATA));
	show("behind it", fd);
	struct iovec parts[2] = {{bytes, 10}, {bytes + 10, 20}};
	say("readv", readv(fd, parts, 2));
	say("preadv", preadv(fd, parts, 2, 77));
	say("right", is_right(bytes, 30, 77));
	show("behind both", fd);
}

static void others(int fd)
{
	struct stat stat;
	int left = 0, pipes[2];
	char byte = 0;
	say("fstat", fstat(fd, &stat)), say("size", stat.st_size);
	say("flags", fcntl(fd, F_GETFL) & O_ACCMODE);
	say("write", write(fd, &byte, 1)), say("ftruncate", ftruncate(fd, 0));
	say("flock", flock(fd, LOCK_EX));
	say("ioctl", ioctl(fd, FIONREAD, &left)), say("left", left);
	pipe(pipes);
	show("before sendfile", fd);
	say("sendfile", sendfile(pipes[1], fd, NULL, 500));
	show("behind it", fd);
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = 0, .l_len = 10};
	say("a lock from here", fcntl(fd, F_SETLK, &lock));
	unsigned char *all = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	say("mapped", is_right(all, SIZE, 0));
	munmap(all, SIZE);
	close(pipes[0]), close(pipes[1]);
}

static void copies(const char *name)
{
	int fd = read_often(name), copy = dup(fd);
	show("one", fd), show("the other", copy), show("one", fd);
	close(fd), show("alone", copy), close(copy);
	fd = read_often(name);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		show("the child", fd);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	show("behind the child", fd);
	close(fd);
	fd = read_often(name);
	fflush(stdout);
	if ((child = vfork()) == 0) {
		dup2(fd, 0);
		execlp("sh", "sh", "-c", "head -c 300 | cksum", NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	close(fd);
}

static void numbers(const char *name)
{
	int fd = read_often(name), next = open("/dev/null", O_RDONLY);
	say("a low number is free", next < 10);
	for (int number = 500; number < 560; number++)
		if (dup2(next, number) != number)
			say("dup2", number);
	for (int number = 500; number < 560; number++)
		close(number);
	show("all the same", fd);
	say("over it", dup2(next, fd) == fd), say("nothing", read(fd, &next, 1));
	close(fd), close(next);
	fd = read_often(name), close(fd);
	fd = open("small", O_CREAT | O_RDWR | O_TRUNC, 0644);
	write(fd, "small", 5), lseek(fd, 0, SEEK_SET);
	char text[8] = "";
	say("another at its number", read(fd, text, 8)), printf("%s\n", text);
	close(fd);
	fd = read_often(name);
	for (int number = 3; number < 1024; number++)
		close(number);
	fd = read_often(name), show("after all were closed", fd), close(fd);
}

static void changes(const char *name)
{
	int fd = read_often(name), writer = open(name, O_WRONLY);
	unsigned char bytes[5] = "", big[3] = {1, 2, 3};
	say("changed", pwrite(writer, "abc", 3, READS * PIECE));
	say("seen", read(fd, bytes, 3)), printf("%s\n", bytes);
	say("longer", pwrite(writer, big, 3, SIZE));
	lseek(fd, SIZE - 1, SEEK_SET);
	say("that too", read(fd, bytes, 5));
	say("shorter", ftruncate(writer, 1000));
	say("nothing left", pread(fd, bytes, 5, 1000)), say("before it", pread(fd, bytes, 5, 998));
	say("unlink", unlink(name)), lseek(fd, 10, SEEK_SET);
	show("without a name", fd);
	close(fd), close(writer);
}

static int shared, wrong;
static long total;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *reader(void *arg)
{
	unsigned char bytes[512];
	for (ssize_t got; (got = read(shared, bytes, sizeof bytes)) > 0;) {
		pthread_mutex_lock(&lock), total += got, pthread_mutex_unlock(&lock);
		/* Which bytes these are says the first of them, but for whole periods. */
		long at = 0;
		while (at < 251 && byte_at(at) != bytes[0])
			at++;
		wrong |= !is_right(bytes, got, at);
	}
	return arg;
}

static void threads(const char *name)
{
	pthread_t other;
	shared = read_often(name);
	pthread_create(&other, NULL, reader, NULL);
	reader(NULL);
	pthread_join(other, NULL);
	say("read by both", total), say("wrong", wrong);
	close(shared);
}

int main(int argc, char **argv)
{
	if (argc < 2 || chdir(argv[1]))
		return 1;
	make("big");
	int fd = read_often("big");
	positions(fd), close(fd);
	fd = read_often("big");
	others(fd), close(fd);
	copies("big"), numbers("big"), changes("big");
	make("big"), threads("big");
	return 0;
}
