/* Threads with working directories of their own: h_places DIRECTORY. Prints what a native run prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "say.h"

extern char **environ;
static const char *top;

/* The directory that relative paths start in, and what of the files in each is there. */
static void where(const char *what)
{
	char path[4096] = "", link[4096] = "";
	const char *shown = getcwd(path, sizeof path) ? path : "", *last = strrchr(shown, '/');
	int linked = readlink("/proc/thread-self/cwd", link, sizeof link - 1) > 0 && strcmp(link, shown) == 0;
	printf("%s: %s %d, a %d, b %d, at %d\n", what, last && strcmp(shown, "/") ? last + 1 : shown, linked, access("in.a", F_OK) == 0,
	       access("in.b", F_OK) == 0, faccessat(AT_FDCWD, "../a/in.a", F_OK, 0) == 0);
	fflush(stdout);
}

static pthread_barrier_t meet;

static void *sharing(void *arg)
{
	(void)arg;
	where("a thread of that thread");
	say("moves both", chdir("../b"));
	return NULL;
}

static void child(const char *what)
{
	pid_t pid = fork();
	if (pid == 0) {
		where(what);
		say("its own", chdir("../a"));
		where("moved");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	char *argv[] = { "sh", "-c", "ls; pwd | sed 's,.*/,,'; cd ../a; ls", NULL };
	posix_spawnp(&pid, "sh", NULL, NULL, argv, environ);
	waitpid(pid, NULL, 0);
	if ((pid = vfork()) == 0) {
		if (chdir("/") == -1)
			_exit(1);
		_exit(access("in.b", F_OK) == 0);
	}
	int status;
	waitpid(pid, &status, 0);
	say("vfork", status);
}

static void *own(void *arg)
{
	(void)arg;
	where("shared");
	say("unshare", unshare(CLONE_FS));
	where("the same");
	say("chdir", chdir("a"));
	where("own");
	pthread_barrier_wait(&meet);
	/* The first thread goes to another meanwhile. */
	pthread_barrier_wait(&meet);
	where("still");
	pthread_t thread;
	pthread_create(&thread, NULL, sharing, NULL);
	pthread_join(thread, NULL);
	where("moved by it");
	child("a child");
	where("not moved by children");
	int dir = open("../a", O_RDONLY | O_DIRECTORY);
	say("fchdir", fchdir(dir)), close(dir);
	say("made", mkdir("made", 0700)), say("renamed", rename("made", "../b/made")), say("removed", rmdir("../b/made"));
	say("linked", symlink("in.a", "link")), say("opened", open("link", O_RDONLY) >= 0), say("unlinked", unlink("link"));
	say("up to the host", chdir("/"));
	where("there");
	say("and back", chdir(top));
	say("unshared again", unshare(CLONE_FS));
	say("removed one", mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
	say("nowhere", open("x", O_CREAT | O_WRONLY, 0600));
	pthread_barrier_wait(&meet);
	return NULL;
}

static void *runs(void *arg)
{
	(void)arg;
	unshare(CLONE_FS);
	if (chdir("../a") == 0)
		execlp("./none", "none", NULL);
	where("not run");
	execlp("sh", "sh", "-c", "pwd | sed 's,.*/,,'; ls", NULL);
	return NULL;
}

static void *short_lived(void *arg)
{
	(void)arg;
	return (void *)(long)(unshare(CLONE_FS) == -1 || chdir("a") == -1 || access("in.a", F_OK) == -1);
}

int main(int argc, char **argv)
{
	(void)argc;
	top = argv[1];
	if (chdir(top) == -1)
		return 1;
	mkdir("a", 0700), mkdir("b", 0700);
	close(open("a/in.a", O_CREAT | O_WRONLY, 0600)), close(open("b/in.b", O_CREAT | O_WRONLY, 0600));
	pthread_barrier_init(&meet, NULL, 2);
	pthread_t thread;
	pthread_create(&thread, NULL, own, NULL);
	pthread_barrier_wait(&meet);
	where("not moved");
	say("first", chdir("b"));
	where("first");
	pthread_barrier_wait(&meet), pthread_barrier_wait(&meet);
	pthread_join(thread, NULL);
	where("first still");
	say("back", chdir(".."));
	long wrong = 0;
	for (int count = 0; count < 50; count++) {
		void *result;
		pthread_create(&thread, NULL, short_lived, NULL);
		pthread_join(thread, &result);
		wrong += (long)result;
	}
	say("wrong", wrong);
	say("all are gone", rename("a", "c") == 0 && rename("c", "a") == 0);
	say("in b", chdir("b"));
	fflush(stdout);
	pthread_create(&thread, NULL, runs, NULL);
	pthread_join(thread, NULL);
	return 1;
}
