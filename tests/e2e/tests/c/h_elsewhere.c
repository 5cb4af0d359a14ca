/* Descriptors of another process by their names in /proc and by pidfd_getfd(2): h_elsewhere DIRECTORY. Prints what a native run
 * prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

static int child, orders[2], answers[2];

/* What the child has open, and what it does when it is told. */
struct had {
	int lone, copied, dir, again;
};

static void holder(void)
{
	close(orders[1]), close(answers[0]);
	struct had had = { open("lone", O_RDWR | O_CREAT, 0644) };
	write(had.lone, "0123456789", 10);
	had.copied = dup(open("copied", O_RDWR | O_CREAT, 0644));
	had.dir = open(".", O_RDONLY | O_DIRECTORY);
	had.again = open("lone", O_RDONLY);
	flock(had.again, LOCK_EX);
	lseek(had.lone, 3, SEEK_SET);
	write(answers[1], &had, sizeof had);
	for (char order; read(orders[0], &order, 1) == 1; write(answers[1], "", 1)) {
		char text[8] = "";
		if (order == 'r')
			read(had.lone, text, 2), say(text, lseek(had.lone, 0, SEEK_CUR));
		else if (order == 'f' && fork() == 0)
			read(had.lone, text, 1), say(text, lseek(had.lone, 0, SEEK_CUR)), _exit(0);
		else if (order == 'f')
			wait(NULL);
		else if (order == 'c')
			close(had.lone), close(had.again);
	}
	_exit(0);
}

static void tell(char order)
{
	write(orders[1], &order, 1);
	read(answers[0], &order, 1);
}

static void show(const char *what, const char *dir, int fd)
{
	char name[64], target[4096] = "", text[16] = "";
	struct stat is = { 0 };
	snprintf(name, sizeof name, "/proc/%d/%s/%d", child, dir, fd);
	ssize_t length = readlink(name, target, sizeof target - 1);
	char *last = length > 0 ? strrchr(target, '/') + 1 : "";
	int at = stat(name, &is), own = open(name, O_RDONLY);
	read(own, text, 7);
	printf("%s: %s %zd %s, %d %o %d %s\n", what, S_ISDIR(is.st_mode) ? "dir" : "file", length > 0 ? (ssize_t)strlen(text) : -1,
	       strcmp(last, "here") ? last : "dir", at, is.st_mode & 07777, own >= 0, dir[2] ? "" : text);
	fflush(stdout);
	close(own);
}

static int taken(int pidfd, int fd)
{
	return syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

static void copies(const struct had *had)
{
	char text[16] = "";
	int pidfd = syscall(SYS_pidfd_open, child, 0), fd = taken(pidfd, had->lone);
	read(fd, text, 4);
	printf("taken: %s\n", text), fflush(stdout);
	say("closed on exec", fcntl(fd, F_GETFD));
	say("shared position", lseek(fd, 0, SEEK_CUR));
	tell('r');
	say("moved on", lseek(fd, 0, SEEK_CUR));
	/* The lone file is given a host descriptor of its own now, in its own process. */
	tell('f');
	say("moved on again", lseek(fd, 0, SEEK_CUR));
	int second = taken(pidfd, had->lone), locked = taken(pidfd, had->again), other = open("lone", O_RDWR);
	say("taken twice", lseek(second, 0, SEEK_CUR));
	say("locked by another", flock(other, LOCK_EX | LOCK_NB));
	say("locked by itself", flock(locked, LOCK_EX | LOCK_NB));
	tell('c');
	say("lives on", pread(fd, text, 3, 0)), say("the lock too", flock(other, LOCK_EX | LOCK_NB));
	say("of nothing", taken(pidfd, had->lone));
	close(locked);
	say("unlocked", flock(other, LOCK_EX | LOCK_NB));
	close(fd);
	say("position stays", lseek(second, 0, SEEK_CUR));
	fd = taken(pidfd, had->dir);
	say("directory", faccessat(fd, "copied", F_OK, 0)), say("and into it", fchdir(fd));
	say("shared one", write(taken(pidfd, had->copied), "abc", 3));
}

int main(int argc, char **argv)
{
	(void)argc;
	struct had had;
	if (chdir(argv[1]) == -1 || pipe(orders) == -1 || pipe(answers) == -1)
		return 1;
	/* Where ptrace(2) is for ancestors alone (Yama), the parent is one. */
	if ((child = fork()) == 0)
		holder();
	read(answers[0], &had, sizeof had);
	show("lone", "fd", had.lone);
	show("copied", "fd", had.copied);
	show("directory", "fd", had.dir);
	show("none", "fd", 900);
	show("about a lone one", "fdinfo", had.lone);
	show("about a copied one", "fdinfo", had.copied);
	copies(&had);
	close(orders[1]);
	waitpid(child, NULL, 0);
	/* No room for the notes of lone files: they are as nameless as before, and nothing else changes. */
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, 4096 });
	if (fork() == 0)
		_exit(write(open("limited", O_RDWR | O_CREAT, 0644), "abc", 3) != 3);
	int status;
	wait(&status);
	say("limited", status);
	return 0;
}
