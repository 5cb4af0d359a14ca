/* Descriptors by their names in /proc and /dev: h_names DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

static const char *directory;

/* Where a link leads; numbers of inodes and the directory's own name are left out. */
static void leads(const char *what, const char *link)
{
	char target[4096];
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	if (length == -1) {
		say(what, length);
		return;
	}
	target[length] = 0;
	if (strncmp(target, directory, strlen(directory)) == 0)
		printf("%s: $D%s\n", what, target + strlen(directory));
	else if (strchr(target, ':'))
		printf("%s: %.*s\n", what, (int)strcspn(target, ":"), target);
	else
		printf("%s: %s\n", what, target);
}

static int same(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_mode == other->st_mode &&
	       one->st_size == other->st_size;
}

static void by_name(const char *form, int fd)
{
	char name[128];
	snprintf(name, sizeof(name), form, fd);
	struct stat through, own;
	struct statx extended;
	fstat(fd, &own);
	printf("%.6s…\n", form);
	say(" stat", stat(name, &through));
	say(" same", same(&own, &through));
	say(" fstatat", fstatat(AT_FDCWD, name, &through, 0));
	say(" same", same(&own, &through));
	say(" lstat", lstat(name, &through));
	say(" a link", S_ISLNK(through.st_mode));
	say(" its mode", through.st_mode & 0777);
	say(" statx", statx(AT_FDCWD, name, 0, STATX_BASIC_STATS, &extended));
	say(" same", extended.stx_ino == own.st_ino && extended.stx_mode == own.st_mode);
	say(" access", access(name, R_OK));
	leads(" readlink", name);
	int again = open(name, O_RDONLY);
	say(" open", again == -1 ? -1 : 0);
	char text[8] = "";
	if (again != -1)
		say(" read", read(again, text, 4));
	printf(" %s\n", text);
	close(again);
	say(" open to append", (again = open(name, O_WRONLY | O_APPEND)) == -1 ? -1 : 0);
	if (again != -1)
		say(" write", write(again, "x", 1));
	close(again);
}

static void of_a_file(void)
{
	int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0640);
	write(fd, "contents", 8);
	by_name("/proc/self/fd/%d", fd);
	by_name("/proc/thread-self/fd/%d", fd);
	by_name("/dev/fd/%d", fd);
	char form[64], name[64];
	snprintf(form, sizeof(form), "/proc/%d/fd/%%d", getpid());
	by_name(form, fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	say("chmod", chmod(name, 0604));
	say("truncate", truncate(name, 3));
	struct stat found;
	fstat(fd, &found);
	say("size", found.st_size);
	say("mode", found.st_mode & 07777);
	say("position of its own", lseek(fd, 0, SEEK_CUR));
	say("rename", rename(name, "other"));
	unlink("file");
	leads("without a name", name);
	int again = open(name, O_RDONLY | O_TRUNC);
	say("open without a name", again == -1 ? -1 : 0);
	fstat(fd, &found);
	say("size", found.st_size);
	close(again);
	close(fd);
	say("closed", access(name, F_OK));
}

static void read_only(void)
{
	int fd = open("read-only", O_CREAT | O_RDONLY, 0444);
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	struct stat found;
	lstat(name, &found);
	say("mode of the link", found.st_mode & 0777);
	int again = open(name, O_WRONLY);
	say("write to it", geteuid() == 0 ? -2 : again == -1 ? -errno : 0);
	close(again);
	close(fd);
}

static void of_a_directory(void)
{
	mkdir("dir", 0755);
	close(open("dir/inside", O_CREAT | O_WRONLY, 0644));
	int fd = open("dir", O_RDONLY | O_DIRECTORY);
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d/inside", fd);
	say("below it", access(name, F_OK));
	snprintf(name, sizeof(name), "/dev/fd/%d/../dir/inside", fd);
	say("above it", access(name, F_OK));
	snprintf(name, sizeof(name), "/proc/self/fd/%d/new", fd);
	int made = open(name, O_CREAT | O_WRONLY, 0644);
	say("made below it", made == -1 ? -1 : 0);
	close(made);
	say("is there", access("dir/new", F_OK));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	leads("directory", name);
	say("chdir", chdir(name));
	say("here", access("inside", F_OK));
	leads("cwd", "/proc/self/cwd");
	say("through cwd", access("/proc/self/cwd/inside", F_OK));
	say("cwd's parent", access("/proc/self/cwd/../dir/new", F_OK));
	chdir("..");
	int path = open("dir/inside", O_PATH);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	int opened = open(name, O_RDWR);
	say("from O_PATH", opened == -1 ? -1 : 0);
	close(opened);
	close(path);
	close(fd);
}

static void of_a_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char name[64];
	struct stat own, through;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	say("fstat", fstat(fd, &own));
	say("stat", stat(name, &through));
	say("same", own.st_ino == through.st_ino && own.st_mode == through.st_mode);
	say("empty path", fstatat(fd, "", &through, AT_EMPTY_PATH));
	say("same", own.st_ino == through.st_ino && own.st_mode == through.st_mode);
	leads("socket", name);
	char target[64] = "", expected[64];
	readlink(name, target, sizeof(target) - 1);
	snprintf(expected, sizeof(expected), "socket:[%lu]", (unsigned long)own.st_ino);
	say("shows its inode", strcmp(target, expected) == 0);
	say("open", open(name, O_RDWR));
	snprintf(name, sizeof(name), "/proc/self/fd/%d/x", fd);
	say("below it", access(name, F_OK));
	close(fd);
}

static void listed(void)
{
	int file = open("file", O_CREAT | O_RDWR, 0600), fd = socket(AF_INET, SOCK_DGRAM, 0), found = 0, odd = 0;
	DIR *all = opendir("/proc/self/fd");
	for (struct dirent *entry; (entry = readdir(all));) {
		int number = atoi(entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		found += number == file || number == fd;
		odd += fcntl(number, F_GETFD) == -1;
	}
	closedir(all);
	say("listed", found);
	say("not open", odd);
	close(file);
	close(fd);
}

/* By a name in a directory that is open. */
static void relative(void)
{
	int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644), all = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	char name[32], target[4096] = "";
	struct stat own, through;
	write(fd, "12345", 5);
	snprintf(name, sizeof(name), "%d", fd);
	fstat(fd, &own);
	say("fstatat", fstatat(all, name, &through, 0));
	say("same", same(&own, &through));
	say("readlinkat", readlinkat(all, name, target, sizeof(target)) > 0);
	printf("%s\n", strncmp(target, directory, strlen(directory)) == 0 ? target + strlen(directory) : target);
	int again = openat(all, name, O_RDONLY);
	say("openat", again == -1 ? -1 : 0);
	say("not open", faccessat(all, "9999", F_OK, 0));
	close(again), close(all), close(fd);
}

static void executed(void)
{
	int fd = open("script", O_CREAT | O_RDWR | O_TRUNC, 0755);
	write(fd, "#!/bin/sh\necho ran\n", 19);
	close(fd);
	fd = open("script", O_RDONLY);
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	fflush(stdout);
	if (fork() == 0) {
		execl(name, "script", NULL);
		_exit(99);
	}
	int status;
	wait(&status);
	say("script", WEXITSTATUS(status));
	close(fd);
}

static void standard(void)
{
	fflush(stdout);
	int saved = dup(1), fd = open("out", O_CREAT | O_WRONLY | O_TRUNC, 0644);
	dup2(fd, 1);
	close(fd);
	int again = open("/dev/stdout", O_WRONLY | O_APPEND);
	write(1, "one\n", 4);
	write(again, "two\n", 4);
	close(again);
	struct stat found;
	stat("/dev/stdout", &found);
	dup2(saved, 1);
	close(saved);
	say("size by /dev/stdout", found.st_size);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(directory = argv[1]) == -1)
		return 2;
	umask(022);
	of_a_file();
	read_only();
	of_a_directory();
	of_a_socket();
	listed();
	relative();
	executed();
	standard();
	return 0;
}
