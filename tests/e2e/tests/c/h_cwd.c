/* The client of t_cwd: h_cwd PREFIX {simple|symlink} {chdir|fchdir}. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *prefix;
static int by_descriptor;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *directory)
{
	if (!by_descriptor) {
		if (chdir(directory) == -1)
			die(directory);
		return;
	}
	int fd = open(directory, O_RDONLY | O_DIRECTORY);
	if (fd == -1 || fchdir(fd) == -1)
		die(directory);
	close(fd);
}

/* PREFIX alone, or PREFIX and names below it, a pure-slash prefix being its own separator. */
static void below(char *path, const char *names)
{
	size_t length = strlen(prefix);
	const char *separator = *names == '\0' || prefix[length - 1] == '/' ? "" : "/";
	snprintf(path, PATH_MAX, "%s%s%s", prefix, separator, names);
}

static void is_in(const char *expected)
{
	char directory[PATH_MAX];
	if (getcwd(directory, sizeof(directory)) == NULL)
		die("getcwd");
	if (strcmp(directory, expected) != 0) {
		fprintf(stderr, "in %s, expected %s\n", directory, expected);
		exit(1);
	}
}

static void is_below(const char *names)
{
	char path[PATH_MAX];
	below(path, names);
	is_in(path);
}

static void make(const char *directory)
{
	if (mkdir(directory, 0777) == -1 && errno != EEXIST)
		die(directory);
}

static void simple(void)
{
	enter(prefix);
	is_below("");
	make("dir");
	enter("dir");
	is_below("dir");
	make("dir");
	enter("dir");
	is_below("dir/dir");
	enter("..");
	is_below("dir");
	enter("../../../../../../..");
	is_below("");
	enter("/");
	is_in("/");
}

static void symlinks(void)
{
	char path[PATH_MAX];
	enter(prefix);
	make("adir");
	make("anotherdir");
	if (symlink("/adir", "anotherdir/lincthesink") == -1 && errno != EEXIST)
		die("symlink");
	below(path, "anotherdir/lincthesink");
	enter(path);
	is_below("adir");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	prefix = argv[1];
	by_descriptor = strcmp(argv[3], "fchdir") == 0;
	if (strcmp(argv[2], "simple") == 0)
		simple();
	else
		symlinks();
	return 0;
}
