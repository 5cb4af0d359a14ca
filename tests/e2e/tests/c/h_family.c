/*
 * Children of every kind: h_family DIR WHAT
 * sharing: children that share the memory while the parent goes on (CLONE_VM), 150 one after the other, half of which run
 *	another program; then ten at once; then posix_spawn.
 * vforks: 100 threads, each of which has a vfork child at the same time.
 * execs: a program that runs itself 200 times, handing a descriptor of DIR and the working directory on.
 * signals: reads that are interrupted 300 times and more before there is something to read, with SA_RESTART and without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK 65536
#define THREADS 100

extern char **environ;
static char *directory;
static int shared;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Leaves a file that says that it was here, and runs true(1) or ends. */
static int child(void *number)
{
	char path[256], *argv[] = { "true", NULL };
	int at = (int)(long)number;

	snprintf(path, sizeof(path), "%s/%d", directory, at);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, "here", 4) != 4)
		_exit(1);
	__atomic_add_fetch(&shared, 1, __ATOMIC_SEQ_CST);
	if (at % 2)
		execv("/bin/true", argv);
	_exit(0);
}

static pid_t start(char *stack, int number)
{
	pid_t pid = clone(child, stack + STACK, CLONE_VM | SIGCHLD, (void *)(long)number);
	if (pid < 0)
		die("clone");
	return pid;
}

static int reap(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	return status;
}

static void sharing(void)
{
	char *stacks = aligned_alloc(4096, 10 * STACK), *argv[] = { "true", NULL };
	pid_t pids[10];
	int failed = 0;

	for (int at = 0; at < 150; at++)
		failed += reap(start(stacks, at)) != 0;
	for (int at = 0; at < 10; at++)
		pids[at] = start(stacks + at * STACK, 150 + at);
	for (int at = 0; at < 10; at++)
		failed += reap(pids[at]) != 0;
	int spawned = 0;
	for (int at = 0; at < 10; at++)
		spawned += posix_spawn(pids, "/bin/true", NULL, NULL, argv, environ) == 0 && reap(pids[0]) == 0;
	struct stat stat_of;
	int files = 0;
	for (int at = 0; at < 160; at++) {
		char path[256];
		snprintf(path, sizeof(path), "%s/%d", directory, at);
		files += stat(path, &stat_of) == 0 && stat_of.st_size == 4;
	}
	printf("failed %d, counted %d, files %d, spawned %d\n", failed, shared, files, spawned);
}

static pthread_barrier_t all_here;
static atomic_int running, most;

static void *vforking(void *number)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/v%d", directory, (int)(long)number);
	pthread_barrier_wait(&all_here);
	pid_t pid = vfork();
	if (pid == 0) {
		struct timespec tick = { 0, 1000000 };
		int now = ++running;
		for (int old = most; now > old && !atomic_compare_exchange_weak(&most, &old, now);)
			;
		/* Until all are here, or have failed to be. */
		for (int ticks = 0; running < THREADS && ticks < 5000; ticks++)
			nanosleep(&tick, NULL);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		_exit(fd < 0);
	}
	return (void *)(long)(pid > 0 && reap(pid) == 0);
}

static void vforks(void)
{
	pthread_t threads[THREADS];
	long good = 0;

	pthread_barrier_init(&all_here, NULL, THREADS);
	for (long at = 0; at < THREADS; at++)
		if (pthread_create(&threads[at], NULL, vforking, (void *)at))
			die("pthread_create");
	for (int at = 0; at < THREADS; at++) {
		void *result;
		pthread_join(threads[at], &result);
		good += (long)result;
	}
	printf("good %ld, at once %d\n", good, most);
}

static void execs(char **argv)
{
	char left[16], fd_text[16];
	int count = argv[3] ? atoi(argv[3]) : 200, fd = argv[3] ? atoi(argv[4]) : -1;

	if (!argv[3] && chdir(directory))
		die(directory);
	if (!argv[3])
		fd = open("log", O_RDWR | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		die("log");
	if (count > 0) {
		snprintf(left, sizeof(left), "%d", count - 1);
		snprintf(fd_text, sizeof(fd_text), "%d", fd);
		char *next[] = { argv[0], directory, "execs", left, fd_text, NULL };
		execv(argv[0], next);
		die(argv[0]);
	}
	struct stat by_fd, by_name;
	if (fstat(fd, &by_fd) || stat("log", &by_name))
		die("stat");
	printf("written %ld, same %d\n", (long)by_fd.st_size, by_fd.st_ino == by_name.st_ino);
}

static atomic_int alarms;

static void on_alarm(int signo)
{
	(void)signo;
	alarms++;
}

static void *writer(void *fd)
{
	struct timespec tick = { 0, 1000000 };
	while (alarms < 300)
		nanosleep(&tick, NULL);
	if (write((int)(long)fd, "x", 1) != 1)
		die("write");
	return NULL;
}

/* Reads one byte that comes after 300 signals; answers how often the read was interrupted. */
static void interrupted(int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { 0 };
	sigset_t set;
	pthread_t thread;
	int pair[2], interruptions = 0;
	char byte = 0;

	alarms = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&thread, NULL, writer, (void *)(long)pair[1]);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	ssize_t got;
	while ((got = read(pair[0], &byte, 1)) < 0 && errno == EINTR)
		interruptions++;
	setitimer(ITIMER_REAL, &never, NULL);
	pthread_join(thread, NULL);
	printf("got %zd %c, alarms %d, interrupted %d\n", got, byte, alarms >= 300, interruptions > 0);
	close(pair[0]);
	close(pair[1]);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc < 3)
		return 2;
	directory = argv[1];
	if (!strcmp(argv[2], "sharing"))
		sharing();
	else if (!strcmp(argv[2], "vforks"))
		vforks();
	else if (!strcmp(argv[2], "execs"))
		execs(argv);
	else if (!strcmp(argv[2], "signals")) {
		interrupted(SA_RESTART);
		interrupted(0);
	} else
		return 2;
	return 0;
}
