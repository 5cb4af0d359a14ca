/* Files whose fate is known: h_crash work DIR LOG WORKER SEED, h_crash check DIR LOG.
 *
 * A worker changes files of its own at random and notes in LOG, which outlives the server, what holds then:
 *	NAME is ?	something is done to it: it may be anything that can be read
 *	NAME is V L	version V of L bytes was synced
 *	NAME may V L	version V may have taken the place of the one before, whole
 *	NAME gone	it was removed, and that was synced
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES = 24, MOST = 200000 };

static const char *dir;
static int log_fd;
static unsigned long long state;
static unsigned char bytes[MOST + 1], found[MOST + 1];

static unsigned number(unsigned below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 33) % below;
}

static void fill(unsigned version, unsigned len)
{
	for (unsigned at = 0; at < len; at++)
		bytes[at] = (unsigned char)(version * 31 + at * 7 + at / 251);
}

static void note(const char *format, const char *name, unsigned version, unsigned len)
{
	char line[200];
	int size = snprintf(line, sizeof(line), format, name, version, len);
	if (write(log_fd, line, size) != size)
		exit(2);
}

/* The server has gone, or it is full: whoever cares looks at the log. */
static void must(int done)
{
	if (!done)
		_exit(errno == ENOSPC ? 3 : 0);
}

static void sync_dir(void)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	must(fd >= 0 && fsync(fd) == 0);
	close(fd);
}

static void put(const char *path, int flags, unsigned version, unsigned len)
{
	int fd = open(path, O_CREAT | O_WRONLY | flags, 0644);
	must(fd >= 0);
	fill(version, len);
	for (unsigned at = 0; at < len;) {
		unsigned part = 1 + number(40000), left = len - at;
		ssize_t done = pwrite(fd, bytes + at, part < left ? part : left, at);
		must(done > 0);
		at += done;
	}
	if (!(flags & O_NONBLOCK))
		must(fsync(fd) == 0);
	must(close(fd) == 0);
}

static void work(int worker)
{
	char name[40], path[300], other[300];
	for (unsigned version = 1;; version++) {
		unsigned len = number(3) ? number(9000) : number(MOST);
		snprintf(name, sizeof(name), "%d.%u", worker, number(NAMES));
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		snprintf(other, sizeof(other), "%s/new.%d", dir, worker);
		switch (number(6)) {
		case 0:
		case 1:
			note("%s is ?\n", name, 0, 0);
			put(path, O_TRUNC, version, len);
			note("%s is %u %u\n", name, version, len);
			break;
		case 2: /* As editors and databases do it. */
			put(other, O_TRUNC, version, len);
			note("%s may %u %u\n", name, version, len);
			must(rename(other, path) == 0);
			sync_dir();
			note("%s is %u %u\n", name, version, len);
			break;
		case 3: /* Without fsync: O_NONBLOCK means nothing else for files. */
			note("%s is ?\n", name, 0, 0);
			put(path, O_NONBLOCK | (number(2) ? O_TRUNC : 0), version, len);
			break;
		case 4:
			note("%s is ?\n", name, 0, 0);
			must(truncate(path, number(MOST)) == 0 || errno == ENOENT);
			break;
		default:
			note("%s is ?\n", name, 0, 0);
			must(unlink(path) == 0 || errno == ENOENT);
			if (number(2)) {
				sync_dir();
				note("%s gone\n", name, 0, 0);
			}
		}
	}
}

struct fate {
	char name[40], what[8];
	unsigned version, len, may_version, may_len;
	int may;
};

static int holds(unsigned version, unsigned len, ssize_t got)
{
	fill(version, len);
	return got == (ssize_t)len && memcmp(bytes, found, len) == 0;
}

/* What became of a file is among what may have. */
static int check(const struct fate *fate)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", dir, fate->name);
	int fd = open(path, O_RDONLY);
	if (fd < 0 && errno != ENOENT)
		return printf("%s: %s\n", fate->name, strerror(errno)), 1;
	ssize_t got = fd < 0 ? -1 : read(fd, found, sizeof(found));
	if (fd >= 0 && got < 0)
		return printf("%s: %s\n", fate->name, strerror(errno)), 1;
	close(fd);
	if (strcmp(fate->what, "?") == 0 || (fate->may && holds(fate->may_version, fate->may_len, got)))
		return 0;
	if (strcmp(fate->what, "gone") == 0 ? got < 0 : holds(fate->version, fate->len, got))
		return 0;
	printf("%s: %zd bytes, not version %u of %u (%s)\n", fate->name, got, fate->version, fate->len, fate->what);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	dir = argv[2];
	if (strcmp(argv[1], "work") == 0 && argc == 6) {
		log_fd = open(argv[3], O_CREAT | O_WRONLY | O_APPEND, 0644);
		state = strtoull(argv[5], NULL, 10) * 2 + atoi(argv[4]);
		work(atoi(argv[4]));
	}
	static struct fate fates[4 * NAMES];
	int known = 0, wrong = 0, sure = 0;
	char line[200];
	FILE *log = fopen(argv[3], "r");
	while (log && fgets(line, sizeof(line), log)) {
		char name[40], verb[8], what[12] = "";
		unsigned len = 0;
		sscanf(line, "%39s %7s %11s %u", name, verb, what, &len);
		int at = 0;
		while (at < known && strcmp(fates[at].name, name) != 0)
			at++;
		struct fate *fate = &fates[at];
		if (at == known) {
			known++;
			strcpy(fate->name, name);
			strcpy(fate->what, "gone");
		}
		fate->may = strcmp(verb, "may") == 0;
		if (fate->may) {
			fate->may_version = atoi(what);
			fate->may_len = len;
			continue;
		}
		strcpy(fate->what, verb[0] == 'g' ? "gone" : what[0] == '?' ? "?" : "is");
		fate->version = atoi(what);
		fate->len = len;
	}
	for (int at = 0; at < known; at++) {
		wrong += check(&fates[at]);
		sure += strcmp(fates[at].what, "?") != 0;
	}
	printf("%d files, of %d is known what they must be\n", known, sure);
	return wrong != 0;
}
