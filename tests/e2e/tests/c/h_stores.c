/* Stores into shared mappings, and what of the file tells of them: h_stores DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "say.h"

enum { PAGE = 4096 };

static char *mapped(const char *name, int *fd, int flags)
{
	*fd = open(name, O_CREAT | O_RDWR, 0644);
	if (ftruncate(*fd, 4 * PAGE) == -1)
		perror(name);
	return mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, flags, *fd, 0);
}

/* Which times have changed since this was last asked of the file. */
static void times(const char *what, const char *name)
{
	static struct stat before;
	struct stat now;
	stat(name, &now);
	printf("%s: modified %d, changed %d\n", what, memcmp(&now.st_mtim, &before.st_mtim, sizeof now.st_mtim) != 0,
	       memcmp(&now.st_ctim, &before.st_ctim, sizeof now.st_ctim) != 0);
	fflush(stdout);
	before = now;
	/* The host's clock for files goes by ticks. */
	usleep(30000);
}

static void of_a_file(void)
{
	int fd;
	char *memory = mapped("file", &fd, MAP_SHARED);
	times("new", "file"), times("untouched", "file");
	memory[0] = 'a';
	say("msync", msync(memory, 4 * PAGE, MS_SYNC));
	times("stored", "file"), times("no more", "file");
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	utimensat(AT_FDCWD, "file", old, 0);
	struct stat set;
	stat("file", &set);
	say("set", set.st_mtime);
	times("set", "file"), times("stays", "file");
	memory[PAGE] = 'b';
	times("another page", "file");
	say("write", pwrite(fd, "xyz", 3, 2 * PAGE));
	times("written", "file"), times("no more", "file");
	say("asynchronously", msync(memory, PAGE, MS_ASYNC));
	say("both", msync(memory, PAGE, MS_ASYNC | MS_SYNC));
	say("not aligned", msync(memory + 1, PAGE, MS_SYNC));
	munmap(memory + PAGE, PAGE);
	say("a hole", msync(memory, 4 * PAGE, MS_SYNC));
	char *own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	own[1] = 'p';
	times("a private one", "file");
	close(fd);
}

static void show(const char *what, const char *name)
{
	char text[8] = "";
	int fd = open(name, O_RDONLY);
	pread(fd, text, 7, PAGE);
	printf("%s: %s\n", what, text);
	fflush(stdout);
	close(fd);
}

/* Stores behind the last close. */
static void closed(void)
{
	int fd;
	char *memory = mapped("closed", &fd, MAP_SHARED);
	close(fd);
	strcpy(memory + PAGE, "one");
	show("while it is mapped", "closed");
	strcpy(memory + PAGE, "two");
	munmap(memory, 4 * PAGE);
	show("unmapped", "closed");
	if (fork() == 0) {
		memory = mapped("closed", &fd, MAP_SHARED);
		close(fd);
		strcpy(memory + PAGE, "child");
		_exit(0);
	}
	wait(NULL);
	show("by a process that has ended", "closed");
	memory = mapped("gone", &fd, MAP_SHARED);
	unlink("gone");
	close(fd);
	strcpy(memory, "gone");
	printf("without a name: %s\n", memory);
	munmap(memory, 4 * PAGE);
	memory = mapped("synced", &fd, MAP_SHARED);
	close(fd);
	strcpy(memory + PAGE, "kept");
	say("msync of a closed file", msync(memory, 4 * PAGE, MS_SYNC));
	fd = open("synced", O_RDWR | O_TRUNC);
	struct stat is;
	fstat(fd, &is);
	say("cut", is.st_size);
	say("grown", ftruncate(fd, 4 * PAGE));
	printf("zeros: \"%s\"\n", memory + PAGE);
	close(fd);
	strcpy(memory + PAGE, "kept");
	say("msync", msync(memory, 4 * PAGE, MS_SYNC));
}

int main(int argc, char **argv)
{
	if (chdir(argv[1]) == -1)
		return 1;
	of_a_file();
	closed();
	/* Somebody ends the rump kernel meanwhile. */
	if (argc > 2)
		pause();
	return 0;
}
