/* What NetBSD's tests of sysproxy and rumpclient do, as a plain program: h_sp MODE [ARGUMENT]. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOSTNAME "/rump/proc/sys/kernel/hostname"
#define CHECK(holds) \
	do { if (!(holds)) { fprintf(stderr, "line %d: %s: %s\n", __LINE__, #holds, strerror(errno)); _exit(1); } } while (0)

static volatile sig_atomic_t stop, hits;

static long rump_pid(void)
{
	char text[32];
	ssize_t len = readlink("/rump/proc/self", text, sizeof(text) - 1);
	CHECK(len > 0);
	text[len] = 0;
	return strtol(text, NULL, 10);
}

static void set_hostname(const char *name)
{
	int fd = open(HOSTNAME, O_WRONLY);
	CHECK(fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name));
	close(fd);
}

static void *stress_thread(void *number)
{
	long pid = rump_pid();
	char name[64];
	while (!stop) {
		int fd = open(HOSTNAME, O_RDONLY);
		CHECK(fd >= 0 && read(fd, name, sizeof(name)) > 0);
		close(fd);
		CHECK(strncmp(name, "rumpclient", 10) == 0);
		CHECK(rump_pid() == pid);
		if ((long)number == 0) {
			snprintf(name, sizeof(name), "rumpclient%ld", pid);
			set_hostname(name);
		}
	}
	return NULL;
}

static void quit(int signal) { (void)signal; stop = 1; }
static void hit(int signal) { (void)signal; hits++; }

static pid_t stress_client(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	pthread_t threads[8];
	for (long at = 0; at < 8; at++)
		CHECK(pthread_create(&threads[at], NULL, stress_thread, (void *)at) == 0);
	for (int at = 0; at < 8; at++)
		pthread_join(threads[at], NULL);
	_exit(0);
}

/* 32 clients of 8 threads each; every so often one is told to quit, or killed, and replaced. */
static int stress(double seconds, int killing)
{
	pid_t clients[32];
	struct timespec pause = { 0, 50 * 1000 * 1000 };
	set_hostname("rumpclient");
	signal(SIGUSR1, quit);
	for (int at = 0; at < 32; at++)
		clients[at] = stress_client();
	int turns = (int)(seconds * 20);
	for (int turn = 0; turn < turns + 32; turn++) {
		int status, at = turn % 32, last = turn >= turns;
		if (!last)
			nanosleep(&pause, NULL);
		CHECK(kill(clients[at], killing ? SIGKILL : SIGUSR1) == 0);
		CHECK(waitpid(clients[at], &status, 0) == clients[at]);
		CHECK(killing ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0);
		clients[at] = last ? 0 : stress_client();
	}
	return 0;
}

static int fork_simple(void)
{
	int status, fd = open("/rump/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10 && lseek(fd, 4, SEEK_SET) == 4);
	long parent = rump_pid();
	pid_t pid = fork();
	if (pid == 0) {
		char two[2];
		CHECK(rump_pid() != parent);
		CHECK(read(fd, two, 2) == 2 && memcmp(two, "45", 2) == 0);
		CHECK(close(fd) == 0 && lseek(fd, 0, SEEK_CUR) == -1 && errno == EBADF);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 6 && rump_pid() == parent);
	return 0;
}

static int fork_pipecomm(void)
{
	char text[32];
	int status;
	CHECK(mkfifo("/rump/fifo", 0600) == 0);
	int fd = open("/rump/fifo", O_RDWR);
	CHECK(fd >= 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(read(fd, text, sizeof(text)) == 6 && memcmp(text, "parent", 6) == 0);
		_exit(7);
	}
	CHECK(write(fd, "parent", 6) == 6);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
	return 0;
}

static void call_in_handler(int signal)
{
	char name[64];
	int saved = errno;
	(void)signal;
	int fd = open(HOSTNAME, O_RDONLY);
	CHECK(fd >= 0 && read(fd, name, sizeof(name)) > 0 && close(fd) == 0);
	hits++;
	errno = saved;
}

static int sigsafe(int flags)
{
	struct sigaction action = { .sa_handler = call_in_handler, .sa_flags = flags };
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	int fd = open("/rump/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int turn = 0; turn < 20000 || hits < 10; turn++)
		CHECK(lseek(fd, turn, SEEK_SET) == turn);
	/* A call that waits: ended, or begun again. */
	int fifo = (mkfifo("/rump/waits", 0600), open("/rump/waits", O_RDWR));
	char byte;
	if (!(flags & SA_RESTART)) {
		CHECK(read(fifo, &byte, 1) == -1 && errno == EINTR);
		return 0;
	}
	int before = hits;
	pid_t pid = fork();
	if (pid == 0) {
		usleep(200 * 1000);
		CHECK(write(fifo, "x", 1) == 1);
		_exit(0);
	}
	CHECK(read(fifo, &byte, 1) == 1 && byte == 'x' && hits > before);
	return 0;
}

static struct sockaddr_in address(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static int listener(int port, int cloexec)
{
	struct sockaddr_in at = address(port);
	int fd = socket(AF_INET, SOCK_STREAM | (cloexec ? SOCK_CLOEXEC : 0), 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 5) == 0);
	return fd;
}

static int connected(int port)
{
	struct sockaddr_in at = address(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

/* Dies of the signal that the rump kernel sends. */
static int killed(void)
{
	int fd = listener(1234, 0), one = connected(1234), other = accept(fd, NULL, NULL);
	CHECK(other >= 0 && close(other) == 0);
	for (int turn = 0; turn < 100; turn++)
		(void)!write(one, "x", 1);
	return 1;
}

static void *path_calls(void *unused)
{
	struct stat info;
	(void)unused;
	while (!stop)
		CHECK(stat("/rump/tmp", &info) == 0 && S_ISDIR(info.st_mode));
	return NULL;
}

/* The library's own connection survives whoever closes everything. */
static int reconnect(void)
{
	pthread_t threads[4];
	for (int at = 0; at < 4; at++)
		CHECK(pthread_create(&threads[at], NULL, path_calls, NULL) == 0);
	for (int turn = 0; turn < 1000; turn++) {
		closefrom(3);
		for (int fd = 1000; fd < 1030; fd++)
			close(fd);
		usleep(1000);
	}
	stop = 1;
	for (int at = 0; at < 4; at++)
		pthread_join(threads[at], NULL);
	return 0;
}

/* Started with 0, 1 and 2 closed: they stay free. */
static int bigenough(void)
{
	struct stat info;
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &info) != -1 || errno != EBADF)
			return 10 + fd;
	if (stat("/rump/tmp", &info) != 0)
		return 20;
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &info) != -1 || errno != EBADF)
			return 30 + fd;
	return open("/dev/null", O_RDONLY);
}

static int sigio(void)
{
	signal(SIGIO, hit);
	int fd = listener(1234, 0);
	CHECK(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETFL, O_ASYNC) == 0);
	int one = connected(1234);
	for (int turn = 0; turn < 1000 && !hits; turn++)
		usleep(1000);
	CHECK(one >= 0 && hits > 0);
	return 0;
}

static void rest(void)
{
	puts("resting");
	fflush(stdout);
	for (;;)
		pause();
}

static void *blocked_read(void *fd)
{
	char byte;
	(void)!read((int)(long)fd, &byte, 1);
	fputs("a read of the old program returned\n", stderr);
	_exit(1);
}

/* Reads that wait in other threads, and then another program. */
static int threxec(const char *self, int turn)
{
	char name[32], kept[16], left[16];
	pthread_t thread;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 * 1024);
	snprintf(name, sizeof(name), "/rump/fifo%d", turn);
	CHECK(mkfifo(name, 0600) == 0);
	int keep = open(name, O_RDWR), goes = open(name, O_RDWR | O_CLOEXEC);
	CHECK(keep >= 0 && goes >= 0);
	for (int at = 0; at < 126; at++)
		CHECK(pthread_create(&thread, &small, blocked_read, (void *)(long)(at % 2 ? keep : goes)) == 0);
	usleep(20 * 1000);
	snprintf(kept, sizeof(kept), "%d,%d", keep, goes);
	snprintf(left, sizeof(left), "%d", turn - 1);
	execl(self, "h_sp", "threxec", left, kept, (char *)NULL);
	return 1;
}

static void after_threxec(const char *descriptors)
{
	int keep, goes;
	char byte;
	CHECK(sscanf(descriptors, "%d,%d", &keep, &goes) == 2);
	CHECK(lseek(goes, 0, SEEK_CUR) == -1 && errno == EBADF);
	CHECK(write(keep, "x", 1) == 1 && read(keep, &byte, 1) == 1 && byte == 'x');
	close(keep);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "";
	if (!strcmp(mode, "basic")) { CHECK(rump_pid() > 0); return 0; }
	if (!strcmp(mode, "stress")) return stress(atof(argument), argc > 3);
	if (!strcmp(mode, "fork_simple")) return fork_simple();
	if (!strcmp(mode, "fork_pipecomm")) return fork_pipecomm();
	if (!strcmp(mode, "sigsafe")) return sigsafe(*argument ? SA_RESTART : 0);
	if (!strcmp(mode, "signal")) return killed();
	if (!strcmp(mode, "reconnect")) return reconnect();
	if (!strcmp(mode, "bigenough")) return bigenough();
	if (!strcmp(mode, "sigio")) return sigio();
	if (!strcmp(mode, "rest")) rest();
	if (!strcmp(mode, "sockets")) {
		/* ARGUMENT: the program to become, or "": stay. A third one: 1234 goes at exec. A fourth: another for a child. */
		listener(1234, argc > 3 && *argv[3]);
		listener(2345, 0);
		if (argc > 4 && vfork() == 0) {
			execl(argv[4], argv[4], "rest", (char *)NULL);
			_exit(1);
		}
		if (*argument)
			execl(argument, argument, "rest", (char *)NULL);
		rest();
	}
	if (!strcmp(mode, "threxec")) {
		if (argc > 3)
			after_threxec(argv[3]);
		return atoi(argument) ? threxec(argv[0][0] == '/' ? argv[0] : "/proc/self/exe", atoi(argument)) : 0;
	}
	fprintf(stderr, "h_sp: no mode '%s'\n", mode);
	return 2;
}
