/* NetBSD's tests of rumpclient and sysproxy, as clients of librumpclient: h_rumpclient MODE [ARGUMENT]. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rump/rump_syscalls.h>
#include <rump/rumpclient.h>

#define SELF "/proc/self/exe"
#define HOSTNAME "/proc/sys/kernel/hostname"
#define CHECK(holds) \
	do { if (!(holds)) { fprintf(stderr, "line %d: %s: %s\n", __LINE__, #holds, strerror(errno)); _exit(1); } } while (0)

extern char **environ;

static volatile sig_atomic_t stop, hits;

static void quit(int signal) { (void)signal; stop = 1; }
static void hit(int signal) { (void)signal; hits++; }

/* t_sp: stress */

static void set_hostname(const char *name)
{
	int fd = rump_sys_open(HOSTNAME, O_WRONLY);
	CHECK(fd >= 0 && rump_sys_write(fd, name, strlen(name)) == (ssize_t)strlen(name) && rump_sys_close(fd) == 0);
}

static void *stress_thread(void *number)
{
	pid_t pid = rump_sys_getpid();
	char name[64];
	while (!stop) {
		int fd = rump_sys_open(HOSTNAME, O_RDONLY);
		CHECK(fd >= 0 && rump_sys_read(fd, name, sizeof(name)) > 0 && rump_sys_close(fd) == 0);
		CHECK(strncmp(name, "rumpclient", 10) == 0);
		CHECK(rump_sys_getpid() == pid);
		if ((long)number == 0) {
			snprintf(name, sizeof(name), "rumpclient%d", pid);
			set_hostname(name);
		}
	}
	return NULL;
}

static pid_t stress_client(void)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	CHECK(rumpclient_init() == 0);
	pthread_t threads[8];
	for (long at = 0; at < 8; at++)
		CHECK(pthread_create(&threads[at], NULL, stress_thread, (void *)at) == 0);
	for (int at = 0; at < 8; at++)
		pthread_join(threads[at], NULL);
	_exit(0);
}

/* So many clients of 8 threads each; every so often one is told to quit, or killed, and replaced. */
static int stress(int clients, int turns, int killing)
{
	pid_t pids[128];
	CHECK(clients <= 128);
	set_hostname("rumpclient");
	signal(SIGUSR1, quit);
	for (int at = 0; at < clients; at++)
		pids[at] = stress_client();
	for (int turn = 0; turn < turns + clients; turn++) {
		int status, at = turn % clients, last = turn >= turns;
		if (!last)
			usleep(20 * 1000);
		CHECK(kill(pids[at], killing ? SIGKILL : SIGUSR1) == 0);
		CHECK(waitpid(pids[at], &status, 0) == pids[at]);
		CHECK(killing ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0);
		pids[at] = last ? 0 : stress_client();
	}
	return 0;
}

/* t_sp: fork */

static int fork_simple(void)
{
	int status, fd = rump_sys_open("/file", O_RDWR | O_CREAT, 0600);
	char two[2];
	CHECK(fd >= 0 && rump_sys_write(fd, "0123456789", 10) == 10 && rump_sys_lseek(fd, 4, SEEK_SET) == 4);
	pid_t parent = rump_sys_getpid(), pid = rumpclient_fork();
	CHECK(pid != -1);
	if (pid == 0) {
		CHECK(rump_sys_getpid() != parent && rump_sys_getppid() == parent);
		CHECK(rump_sys_read(fd, two, 2) == 2 && memcmp(two, "45", 2) == 0);
		CHECK(rump_sys_close(fd) == 0 && rump_sys_lseek(fd, 0, SEEK_CUR) == -1 && errno == EBADF);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(rump_sys_lseek(fd, 0, SEEK_CUR) == 6 && rump_sys_getpid() == parent);
	return 0;
}

static int fork_pipecomm(void)
{
	int pipes[2], status;
	char text[32];
	CHECK(rump_sys_pipe(pipes) == 0);
	pid_t pid = rumpclient_fork();
	CHECK(pid != -1);
	if (pid == 0) {
		CHECK(rump_sys_close(pipes[1]) == 0);
		CHECK(rump_sys_read(pipes[0], text, sizeof(text)) == 6 && memcmp(text, "parent", 6) == 0);
		CHECK(rump_sys_read(pipes[0], text, sizeof(text)) == 0);
		_exit(7);
	}
	CHECK(rump_sys_write(pipes[1], "parent", 6) == 6 && rump_sys_close(pipes[1]) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
	return 0;
}

/* Cookies that were forged, used twice, or taken back. */
static int fork_fakeauth(void)
{
	struct rumpclient_fork *rf;
	pid_t parent = rump_sys_getpid(), pid;
	int status;

	CHECK((rf = rumpclient_prefork()) != NULL);
	for (int bit = 0; bit < 128; bit += 41) {
		((uint8_t *)rf)[bit / 8] ^= 1 << bit % 8;
		CHECK(rumpclient_fork_init(rf) == -1 && errno == ESRCH);
		((uint8_t *)rf)[bit / 8] ^= 1 << bit % 8;
	}
	CHECK(rump_sys_getpid() == parent);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		CHECK(rump_sys_getpid() == -1 && errno == ENOTCONN);
		CHECK(rumpclient_fork_init(rf) == 0);
		CHECK(rump_sys_getppid() == parent);
		CHECK(rumpclient_fork_init(rf) == -1 && errno == ESRCH);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		CHECK(rumpclient_fork_init(rf) == -1 && errno == ESRCH);
		CHECK(rumpclient_init() == 0 && rump_sys_getppid() == 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);

	CHECK((rf = rumpclient_prefork()) != NULL);
	rumpclient_fork_cancel(rf);
	CHECK(rump_sys_getpid() == parent);
	return 0;
}

static int vfork_calls(void)
{
	pid_t parent = rump_sys_getpid();
	int status;
	for (int turn = 0; turn < 100; turn++) {
		pid_t pid = rumpclient_vfork();
		CHECK(pid != -1);
		if (pid == 0)
			_exit(rump_sys_getppid() == parent && rump_sys_getpid() != parent ? 0 : 1);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0 && rump_sys_getpid() == parent);
	}
	return 0;
}

static int daemonize(const char *path)
{
	pid_t host = getpid(), rump = rump_sys_getpid();
	int fd = rump_sys_open("/kept", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && rump_sys_write(fd, "kept", 4) == 4);
	CHECK(rumpclient_daemon(0, 1) == 0);
	CHECK(getpid() != host && getsid(0) != getsid(host) && rump_sys_getpid() != rump);
	CHECK(rump_sys_lseek(fd, 0, SEEK_CUR) == 4);
	CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
	return 0;
}

/* t_sp: signals */

static void call_in_handler(int signal)
{
	char name[64];
	int saved = errno;
	(void)signal;
	int fd = rump_sys_open(HOSTNAME, O_RDONLY);
	CHECK(fd >= 0 && rump_sys_read(fd, name, sizeof(name)) > 0 && rump_sys_close(fd) == 0);
	hits++;
	errno = saved;
}

static void *late_writer(void *fd)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	usleep(200 * 1000);
	CHECK(rump_sys_write((int)(long)fd, "x", 1) == 1);
	return NULL;
}

static int sigsafe(int flags)
{
	struct sigaction action = { .sa_handler = call_in_handler, .sa_flags = flags };
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
	int pipes[2], fd = rump_sys_open("/file", O_RDWR | O_CREAT, 0600);
	char byte;
	CHECK(fd >= 0 && rump_sys_pipe(pipes) == 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int turn = 0; turn < 20000 || hits < 10; turn++) {
		free(malloc(turn % 1000));
		CHECK(rump_sys_lseek(fd, turn, SEEK_SET) == turn);
	}
	/* A call that waits: ended, or begun again. */
	int before = hits;
	if (flags & SA_RESTART) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, late_writer, (void *)(long)pipes[1]) == 0);
		CHECK(rump_sys_read(pipes[0], &byte, 1) == 1 && byte == 'x' && hits > before);
		setitimer(ITIMER_REAL, &never, NULL);
		pthread_join(thread, NULL);
	} else {
		CHECK(rump_sys_read(pipes[0], &byte, 1) == -1 && errno == EINTR && hits > before);
	}
	/* poll(2) is never begun again. */
	struct pollfd entry = { .fd = pipes[0], .events = POLLIN };
	setitimer(ITIMER_REAL, &often, NULL);
	CHECK(rump_sys_poll(&entry, 1, -1) == -1 && errno == EINTR);
	/* Signals that are blocked stay so, and ppoll(2) lets them in. */
	sigset_t alarm, none;
	sigemptyset(&none);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	before = hits;
	CHECK(rump_sys_poll(&entry, 1, 50) == 0 && hits == before);
	CHECK(rump_sys_ppoll(&entry, 1, NULL, &none) == -1 && errno == EINTR && hits > before);
	return 0;
}

/* Of many threads that wait, a signal ends the call of one. */
static void *interrupted_read(void *fd)
{
	char byte;
	ssize_t got = rump_sys_read((int)(long)fd, &byte, 1);
	CHECK(got == 1 || (got == -1 && errno == EINTR));
	return (void *)(long)(got == -1);
}

static int one_interrupted(void)
{
	enum { THREADS = 20 };
	struct sigaction action = { .sa_handler = hit };
	pthread_t threads[THREADS];
	int pipes[2];
	long interrupted = 0;
	void *result;
	CHECK(rump_sys_pipe(pipes) == 0);
	sigaction(SIGUSR1, &action, NULL);
	for (int at = 0; at < THREADS; at++)
		CHECK(pthread_create(&threads[at], NULL, interrupted_read, (void *)(long)pipes[0]) == 0);
	usleep(100 * 1000);
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	/* One that nobody has a handler for, and nobody notices. */
	CHECK(kill(getpid(), SIGCHLD) == 0);
	usleep(100 * 1000);
	CHECK(rump_sys_write(pipes[1], "xxxxxxxxxxxxxxxxxxx", THREADS - 1) == THREADS - 1);
	for (int at = 0; at < THREADS; at++) {
		pthread_join(threads[at], &result);
		interrupted += (long)result;
	}
	CHECK(interrupted == 1 && hits == 1);
	return 0;
}

static struct sockaddr_in address(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static int listener(int port)
{
	struct sockaddr_in at = address(port);
	int fd = rump_sys_socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0 && rump_sys_bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && rump_sys_listen(fd, 5) == 0);
	return fd;
}

static int connected(int port)
{
	struct sockaddr_in at = address(port);
	int fd = rump_sys_socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0 && rump_sys_connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

/* Dies of the signal that the rump kernel sends. */
static int killed(void)
{
	int fd = listener(1234), one = connected(1234), other = rump_sys_accept(fd, NULL, NULL);
	CHECK(other >= 0 && rump_sys_close(other) == 0);
	for (int turn = 0; turn < 100; turn++)
		(void)!rump_sys_write(one, "x", 1);
	return 1;
}

static int sigio(void)
{
	signal(SIGIO, hit);
	int fd = listener(1234);
	CHECK(rump_sys_fcntl(fd, F_SETOWN, rump_sys_getpid()) == 0 && rump_sys_fcntl(fd, F_SETFL, O_ASYNC) == 0);
	CHECK(connected(1234) >= 0);
	for (int turn = 0; turn < 1000 && !hits; turn++) {
		usleep(1000);
		/* Signals come with answers: no thread of the library's own reads. */
		rump_sys_getpid();
	}
	CHECK(hits > 0);
	return 0;
}

static int selects(void)
{
	int pipes[2], fd;
	CHECK(rump_sys_pipe(pipes) == 0);
	fd_set readable, writable;
	struct timeval time = { 0, 50 * 1000 }, now = { 0, 0 }, wrong = { 0, 1000 * 1000 };
#define SET(set, fd) do { FD_ZERO(&set); FD_SET(fd, &set); } while (0)
	SET(readable, pipes[0]);
	CHECK(rump_sys_select(pipes[1] + 1, &readable, NULL, NULL, &time) == 0 && !FD_ISSET(pipes[0], &readable));
	CHECK(time.tv_sec == 0 && time.tv_usec == 0);
	SET(readable, pipes[0]);
	SET(writable, pipes[1]);
	CHECK(rump_sys_select(pipes[1] + 1, &readable, &writable, NULL, NULL) == 1 && FD_ISSET(pipes[1], &writable));
	CHECK(rump_sys_write(pipes[1], "x", 1) == 1);
	SET(readable, pipes[0]);
	CHECK(rump_sys_select(pipes[1] + 1, &readable, &writable, NULL, &now) == 2 && FD_ISSET(pipes[0], &readable));
	SET(readable, 77);
	CHECK(rump_sys_select(78, &readable, NULL, NULL, NULL) == -1 && errno == EBADF);
	CHECK(rump_sys_select(-1, NULL, NULL, NULL, &now) == -1 && errno == EINVAL);
	CHECK(rump_sys_select(0, NULL, NULL, NULL, &wrong) == -1 && errno == EINVAL);
	CHECK(rump_sys_select(78, (fd_set *)8, NULL, NULL, &now) == -1 && errno == EFAULT);
	/* A number that needs more than one word, and a signal that only pselect(2) lets in. */
	CHECK((fd = rump_sys_fcntl(pipes[1], F_DUPFD, 700)) == 700);
	SET(writable, fd);
	CHECK(rump_sys_select(fd + 1, NULL, &writable, NULL, NULL) == 1 && FD_ISSET(fd, &writable));
	sigset_t usr1, none;
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	signal(SIGUSR1, hit);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	CHECK(rump_sys_read(pipes[0], &fd, 1) == 1 && hits == 0);
	SET(readable, pipes[0]);
	CHECK(rump_sys_pselect(pipes[0] + 1, &readable, NULL, NULL, NULL, &none) == -1 && errno == EINTR && hits == 1);
	return 0;
}

/* t_sp: reconnect */

static void *calls(void *unused)
{
	struct stat info;
	(void)unused;
	while (!stop)
		CHECK(rump_sys_stat("/tmp", &info) == 0 && S_ISDIR(info.st_mode));
	return NULL;
}

static int reconnect(void)
{
	pthread_t threads[4];
	pid_t pid = rump_sys_getpid();
	for (int at = 0; at < 4; at++)
		CHECK(pthread_create(&threads[at], NULL, calls, NULL) == 0);
	for (int turn = 0; turn < 500; turn++) {
		/* What a program does that closes descriptors: it tells the library first. */
		int from = 3;
		CHECK(rumpclient__closenotify(&from, RUMPCLIENT_CLOSE_FCLOSEM) == 0 && from > 3);
		closefrom(from);
		for (int fd = from - 1; fd < from + 16; fd++) {
			int number = fd;
			CHECK(rumpclient__closenotify(&number, RUMPCLIENT_CLOSE_DUP2) == 0);
			CHECK(dup2(0, number) == number && close(number) == 0);
		}
		usleep(1000);
	}
	stop = 1;
	for (int at = 0; at < 4; at++)
		pthread_join(threads[at], NULL);
	CHECK(rump_sys_getpid() == pid);
	return 0;
}

/* A program that does not tell: the connection is lost, and made again. */
static void *reads_for_ever(void *fd)
{
	char byte;
	CHECK(rump_sys_read((int)(long)fd, &byte, 1) == -1 && errno == ENOTCONN);
	return NULL;
}

static int closed(void)
{
	pthread_t thread;
	int pipes[2];
	rumpclient_setconnretry(RUMPCLIENT_RETRYCONN_INFTIME);
	CHECK(rump_sys_pipe(pipes) == 0);
	CHECK(pthread_create(&thread, NULL, reads_for_ever, (void *)(long)pipes[0]) == 0);
	usleep(100 * 1000);
	closefrom(3);
	pid_t pid = rump_sys_getpid();
	CHECK(pid > 1 || (pid = rump_sys_getpid()) > 1);
	CHECK(rump_sys_read(pipes[0], pipes, 1) == -1 && errno == EBADF);
	pthread_join(thread, NULL);
	return 0;
}

/* The server is gone: says so, waits until it is back, and goes on as another process. MODE: how long to wait. */
static int lost(const char *mode)
{
	char byte;
	time_t timeout = !strcmp(mode, "die") ? RUMPCLIENT_RETRYCONN_DIE
	    : !strcmp(mode, "once") ? RUMPCLIENT_RETRYCONN_ONCE
	    : !strcmp(mode, "inftime") ? RUMPCLIENT_RETRYCONN_INFTIME : (time_t)atoi(mode);
	rumpclient_setconnretry(timeout);
	int fd = rump_sys_open("/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	puts("ready");
	fflush(stdout);
	CHECK(read(0, &byte, 1) >= 0);
	CHECK(rump_sys_lseek(fd, 0, SEEK_CUR) == -1);
	printf("%s\n", strerrorname_np(errno));
	printf("%s\n", rump_sys_getpid() > 0 ? "again" : strerrorname_np(errno));
	return 0;
}

/* t_fd */

/* Started with 0, 1 and 2 closed: they stay free. */
static int bigenough(void)
{
	struct stat info;
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &info) != -1 || errno != EBADF)
			return 10 + fd;
	if (rump_sys_stat("/tmp", &info) != 0)
		return 20;
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &info) != -1 || errno != EBADF)
			return 30 + fd;
	return 0;
}

/* t_exec */

static void rest(void)
{
	puts("resting");
	fflush(stdout);
	for (;;)
		pause();
}

static void become(const char *name, char *mode, char *argument)
{
	char *argv[] = { (char *)name, mode, argument, NULL };
	rumpclient_exec(SELF, argv, environ);
	CHECK(!"rumpclient_exec");
}

static int sockets(const char *how)
{
	int one = listener(1234);
	pid_t pid = rump_sys_getpid();
	char text[16];
	listener(2345);
	snprintf(text, sizeof(text), "%d", pid);
	if (!strcmp(how, "cloexec"))
		CHECK(rump_sys_fcntl(one, F_SETFD, FD_CLOEXEC) == 0);
	if (!strcmp(how, "vfork")) {
		pid_t child = rumpclient_vfork();
		CHECK(child != -1);
		if (child == 0)
			become("fourchette", "rest", "");
	}
	if (*how) {
		/* One that fails first, and leaves everything as it was. */
		CHECK(rumpclient_exec("/nonexistent", (char *[]){ "x", NULL }, environ) == -1 && errno == ENOENT);
		CHECK(rump_sys_getpid() == pid);
		become("h_ution", "rest", text);
	}
	rest();
	return 0;
}

static void *blocked_read(void *fd)
{
	char byte;
	(void)!rump_sys_read((int)(long)fd, &byte, 1);
	fputs("a read of the old program returned\n", stderr);
	_exit(1);
}

/* 126 + 189 reads that wait in other threads, and then another program. */
static int threxec(int turn)
{
	int keep[2], goes[2];
	char left[16], kept[64];
	pthread_t thread;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 * 1024);
	CHECK(rump_sys_pipe(keep) == 0 && rump_sys_pipe2(goes, O_CLOEXEC) == 0);
	for (int at = 0; at < 126 + 189; at++)
		CHECK(pthread_create(&thread, &small, blocked_read, (void *)(long)(at % 2 ? keep[0] : goes[0])) == 0);
	usleep(20 * 1000);
	snprintf(left, sizeof(left), "%d", turn - 1);
	snprintf(kept, sizeof(kept), "%d,%d,%d,%d,%d", keep[0], keep[1], goes[0], goes[1], rump_sys_getpid());
	setenv("KEPT", kept, 1);
	become("threxec", "threxec", left);
	return 1;
}

static void after_threxec(const char *kept)
{
	int fds[5];
	char byte;
	CHECK(sscanf(kept, "%d,%d,%d,%d,%d", &fds[0], &fds[1], &fds[2], &fds[3], &fds[4]) == 5);
	CHECK(rump_sys_getpid() == fds[4]);
	for (int at = 2; at < 4; at++)
		CHECK(rump_sys_fcntl(fds[at], F_GETFD) == -1 && errno == EBADF);
	CHECK(rump_sys_write(fds[1], "x", 1) == 1 && rump_sys_read(fds[0], &byte, 1) == 1 && byte == 'x');
	CHECK(rump_sys_close(fds[0]) == 0 && rump_sys_close(fds[1]) == 0);
}

/* Calls by number, bad addresses, bad descriptors. */
static int basics(void)
{
	register_t values[2] = { 7, 7 };
	char text[8], *bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(rumpclient_init() == 0 && rump_sys_getpid() > 1);
	CHECK(rumpclient_syscall(39, NULL, 0, values) == 0 && values[0] == rump_sys_getpid() && values[1] == 0);
	CHECK(rumpclient_syscall(3, (uint64_t[]){ 99 }, 8, values) == EBADF);
	CHECK(rumpclient_syscall(3, NULL, 0, values) == EINVAL);
	CHECK(rumpclient_syscall(100000, NULL, 0, values) == ENOSYS);
	CHECK(rump_sys_close(-1) == -1 && errno == EBADF);
	CHECK(rump_sys_open(bad, O_RDONLY) == -1 && errno == EFAULT);
	int fd = rump_sys_open("/f", O_RDWR | O_CREAT | O_TRUNC, 0640);
	struct stat info;
	CHECK(fd == 0 && rump_sys_fstat(fd, &info) == 0 && (info.st_mode & 0777) == (0640 & ~022));
	CHECK(rump_sys_write(fd, bad, 1) == -1 && errno == EFAULT);
	CHECK(rump_sys_pwrite64(fd, "hello", 5, 1) == 5 && rump_sys_lseek(fd, -3, SEEK_END) == 3);
	CHECK(rump_sys_read(fd, text, sizeof(text)) == 3 && memcmp(text, "llo", 3) == 0);
	struct iovec pieces[2] = { { text, 2 }, { text + 2, 2 } };
	CHECK(rump_sys_preadv2(fd, pieces, 2, 1, 0) == 4 && memcmp(text, "hell", 4) == 0);
	CHECK(rump_sys_dup2(fd, 9) == 9 && rump_sys_fcntl(9, F_DUPFD, 20) == 20 && rump_sys_close(9) == 0);
	/* Memory that goes away after it was read. */
	char *path = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(path, "/f");
	CHECK(rump_sys_stat(path, &info) == 0 && info.st_size == 6);
	CHECK(munmap(path, 4096) == 0 && rump_sys_stat(path, &info) == -1 && errno == EFAULT);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "";
	if (!strcmp(mode, "connect")) {
		if (rumpclient_init() == 0)
			return 0;
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	CHECK(rumpclient_init() == 0);
	if (!strcmp(mode, "basic")) return basics();
	if (!strcmp(mode, "stress")) return stress(32, atoi(argument), 0);
	if (!strcmp(mode, "killer")) return stress(100, atoi(argument), 1);
	if (!strcmp(mode, "fork_simple")) return fork_simple();
	if (!strcmp(mode, "fork_pipecomm")) return fork_pipecomm();
	if (!strcmp(mode, "fork_fakeauth")) return fork_fakeauth();
	if (!strcmp(mode, "vfork_calls")) return vfork_calls();
	if (!strcmp(mode, "daemon")) return daemonize(argument);
	if (!strcmp(mode, "sigsafe")) return sigsafe(*argument ? SA_RESTART : 0);
	if (!strcmp(mode, "one_interrupted")) return one_interrupted();
	if (!strcmp(mode, "signal")) return killed();
	if (!strcmp(mode, "sigio")) return sigio();
	if (!strcmp(mode, "selects")) return selects();
	if (!strcmp(mode, "reconnect")) return reconnect();
	if (!strcmp(mode, "closed")) return closed();
	if (!strcmp(mode, "lost")) return lost(argument);
	if (!strcmp(mode, "bigenough")) return bigenough();
	if (!strcmp(mode, "sockets")) return sockets(argument);
	if (!strcmp(mode, "rest")) {
		CHECK(!*argument || rump_sys_getpid() == atoi(argument));
		rest();
	}
	if (!strcmp(mode, "threxec")) {
		if (getenv("KEPT"))
			after_threxec(getenv("KEPT"));
		return atoi(argument) ? threxec(atoi(argument)) : 0;
	}
	fprintf(stderr, "h_rumpclient: no mode '%s'\n", mode);
	return 2;
}
