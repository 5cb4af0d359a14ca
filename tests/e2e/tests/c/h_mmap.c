/* Files in memory: h_mmap DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

enum { PAGE = 4096 };

static char *map(const char *what, void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
	char *memory = mmap(at, length, prot, flags, fd, offset);
	say(what, memory == MAP_FAILED ? -1 : 0);
	return memory;
}

static sigjmp_buf out;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	siglongjmp(out, signo == SIGBUS ? 1 : 2);
}

/* 0, or which signal touching a byte brings. */
static const char *touch(volatile char *byte, int write)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, bus, segv;
	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGSEGV, &action, &segv);
	int signo = sigsetjmp(out, 1);
	if (signo == 0) {
		if (write)
			*byte = 'w';
		else
			(void)*byte;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return signo == 0 ? "fine" : signo == 1 ? "SIGBUS" : "SIGSEGV";
}

static int made(const char *name, int flags, size_t length)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
	char page[PAGE];
	for (size_t done = 0; done < length; done += PAGE) {
		memset(page, 'a' + done / PAGE % 26, PAGE);
		write(fd, page, length - done < PAGE ? length - done : PAGE);
	}
	close(fd);
	return open(name, flags);
}

static void shared(void)
{
	int fd = made("shared", O_RDWR, 3 * PAGE);
	char *memory = map("shared", NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char text[8] = "";
	memcpy(memory + 10, "mapped", 6);
	say("read", pread(fd, text, 6, 10));
	printf("%s\n", text);
	say("write", pwrite(fd, "WRITTEN", 7, PAGE + 1));
	printf("%.7s\n", memory + PAGE + 1);
	int other = open("shared", O_RDWR);
	char *again = map("again", NULL, PAGE, PROT_READ, MAP_SHARED, other, PAGE);
	printf("%.7s\n", again + 1);
	close(fd);
	close(other);
	memory[PAGE + 1] = 'w';
	say("seen by the other", again[1] == 'w');
	say("msync", msync(memory, 3 * PAGE, MS_SYNC));
	if (fork() == 0) {
		memory[0] = 'C';
		_exit(0);
	}
	wait(NULL);
	say("written by a child", memory[0] == 'C');
	fd = open("shared", O_RDWR | O_APPEND);
	write(fd, "tail", 4);
	struct stat found;
	fstat(fd, &found);
	say("size", found.st_size);
	say("munmap", munmap(again, PAGE));
	char *grown = mremap(memory, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	say("mremap", grown == MAP_FAILED ? -1 : 0);
	printf("%.4s\n", grown + 3 * PAGE);
	say("behind the end is zero", grown[3 * PAGE + 4]);
	say("truncate", ftruncate(fd, PAGE));
	printf("within: %s, behind: %s\n", touch(grown, 0), touch(grown + PAGE, 0));
	say("extend", ftruncate(fd, 2 * PAGE));
	printf("zeros: %s %d\n", touch(grown + PAGE, 0), grown[PAGE]);
	grown[PAGE + 5] = 'x';
	pread(fd, text, 1, PAGE + 5);
	say("through", text[0] == 'x');
	unlink("shared");
	grown[1] = 'u';
	pread(fd, text, 1, 1);
	say("without a name", text[0] == 'u');
	munmap(grown, 4 * PAGE);
	close(fd);
}

static void private(void)
{
	int fd = made("private", O_RDONLY, 2 * PAGE + 100);
	char *memory = map("private", NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char byte;
	memory[0] = 'X';
	pread(fd, &byte, 1, 0);
	say("not in the file", byte == 'a');
	say("rest of the last page", memory[2 * PAGE + 100]);
	if (fork() == 0) {
		memory[1] = 'Y';
		_exit(0);
	}
	wait(NULL);
	say("not the child's", memory[1]);
	map("fixed over it", memory + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	say("replaced", memory[PAGE]);
	say("kept", memory[0]);
	printf("to write to it: %s\n", touch(memory + PAGE, 1));
	say("mprotect", mprotect(memory + PAGE, PAGE, PROT_READ | PROT_WRITE));
	printf("to write to it: %s\n", touch(memory + PAGE, 1));
	munmap(memory, 3 * PAGE);
	close(fd);
}

static void refused(void)
{
	int read_only = made("refused", O_RDONLY, PAGE), write_only = open("refused", O_WRONLY), path = open("refused", O_PATH);
	int directory = open(".", O_RDONLY);
	map("shared and writable of one to be read", NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, read_only, 0);
	char *memory = map("shared and readable", NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0);
	say("mprotect", mprotect(memory, PAGE, PROT_READ | PROT_WRITE));
	munmap(memory, PAGE);
	map("of one to be written", NULL, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0);
	map("of O_PATH", NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0);
	map("of a directory", NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0);
	map("odd offset", NULL, PAGE, PROT_READ, MAP_PRIVATE, read_only, 100);
	map("no length", NULL, 0, PROT_READ, MAP_PRIVATE, read_only, 0);
	map("neither", NULL, PAGE, PROT_READ, 0, read_only, 0);
	memory = map("behind the end", NULL, PAGE, PROT_READ, MAP_PRIVATE, read_only, 4 * PAGE);
	printf("touched: %s\n", touch(memory, 0));
	munmap(memory, PAGE);
	close(read_only), close(write_only), close(path), close(directory);
}

static void run(void)
{
	/* mov $42, %eax; ret */
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	int fd = open("code", O_CREAT | O_RDWR | O_TRUNC, 0755);
	write(fd, code, sizeof(code));
	int (*function)(void) = (int (*)(void))map("code", NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	say("run", function());
	munmap(function, PAGE);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) == -1)
		return 2;
	setbuf(stdout, NULL);
	shared();
	private();
	refused();
	run();
	return 0;
}
