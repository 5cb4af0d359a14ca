/* Signals, cancellation and many threads over calls that wait, as signal(7) and pthreads(7) have it. Prints what it
 * finds, the same natively and hijacked. Arguments: what to do, a directory for files. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000
#define THREADS 1000

static const char *directory;
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	(void)number;
	caught++;
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	sigaction(number, &action, 0);
}

static int listen_at(struct sockaddr_in *at)
{
	socklen_t size = sizeof *at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bind(listener, (void *)at, sizeof *at);
	listen(listener, 64);
	getsockname(listener, (void *)at, &size);
	return listener;
}

static int connect_to(const struct sockaddr_in *at)
{
	int client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(client, (const void *)at, sizeof *at))
		perror("connect");
	return client;
}

static void stream_pair(int ends[2])
{
	struct sockaddr_in at;
	int listener = listen_at(&at);
	ends[0] = connect_to(&at);
	ends[1] = accept(listener, 0, 0);
	close(listener);
}

static char *in_directory(const char *name)
{
	static char path[2][4096];
	static int turn;
	char *at = path[turn++ % 2];
	snprintf(at, sizeof path[0], "%s/%s", directory, name);
	return at;
}

/* One call that waits, interrupted after 30 ms by an alarm and completed after 120 ms by another thread. */
struct waiting {
	const char *name;
	long (*call)(struct waiting *);
	void (*complete)(struct waiting *);
	int ends[2];
	struct sockaddr_in at;
};

#define WAITING(name, call, complete) { name, call, complete, { -1, -1 }, { 0 } }

static char buffer[1 << 16];

static long w_recv(struct waiting *w) { return recv(w->ends[0], buffer, 4, 0); }
static long w_read(struct waiting *w) { return read(w->ends[0], buffer, 4); }
static long w_recvmsg(struct waiting *w)
{
	struct iovec part = { buffer, 4 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	return recvmsg(w->ends[0], &message, 0);
}
static long w_accept(struct waiting *w) { return accept(w->ends[0], 0, 0) >= 0 ? 1 : -1; }
static long w_poll(struct waiting *w)
{
	struct pollfd entry = { w->ends[0], POLLIN, 0 };
	return poll(&entry, 1, 5000);
}
static long w_mixed_poll(struct waiting *w)
{
	struct pollfd entries[2] = { { w->ends[0], POLLIN, 0 }, { w->at.sin_port, POLLIN, 0 } };
	return poll(entries, 2, 5000);
}
static long w_select(struct waiting *w)
{
	fd_set set;
	struct timeval time = { 5, 0 };
	FD_ZERO(&set);
	FD_SET(w->ends[0], &set);
	return select(w->ends[0] + 1, &set, 0, 0, &time);
}
static long w_epoll(struct waiting *w)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(0);
	epoll_ctl(set, EPOLL_CTL_ADD, w->ends[0], &event);
	long answer = epoll_wait(set, &event, 1, 5000);
	int saved = errno;
	close(set);
	errno = saved;
	return answer;
}
static long w_timed_recv(struct waiting *w)
{
	struct timeval time = { 5, 0 };
	setsockopt(w->ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
	return recv(w->ends[0], buffer, 4, 0);
}
static long w_send(struct waiting *w)
{
	fcntl(w->ends[0], F_SETFL, O_NONBLOCK);
	while (send(w->ends[0], buffer, sizeof buffer, 0) > 0)
		;
	while (send(w->ends[0], buffer, 1, 0) > 0)
		;
	fcntl(w->ends[0], F_SETFL, 0);
	return send(w->ends[0], buffer, 1, 0);
}
static long w_open_fifo(struct waiting *w)
{
	w->ends[0] = open(in_directory("fifo"), O_RDONLY);
	return w->ends[0] >= 0 ? 1 : -1;
}
static long w_flock(struct waiting *w) { return flock(w->ends[0], LOCK_EX); }
static long w_setlkw(struct waiting *w)
{
	struct flock lock = { .l_type = F_WRLCK };
	return fcntl(w->ends[0], F_OFD_SETLKW, &lock);
}
static long w_pause(struct waiting *w)
{
	(void)w;
	return pause();
}

static void c_write(struct waiting *w)
{
	if (write(w->ends[1], "data", 4) != 4)
		perror("write");
}
static void c_connect(struct waiting *w) { w->ends[1] = connect_to(&w->at); }
static void c_drain(struct waiting *w)
{
	ssize_t got, all = 0;
	while (all < (8 << 20) && (got = recv(w->ends[1], buffer, sizeof buffer, MSG_DONTWAIT)) != 0) {
		if (got > 0)
			all += got;
		else if (usleep(2 * MS), all)
			break;
	}
}
static void c_open_fifo(struct waiting *w) { w->ends[1] = open(in_directory("fifo"), O_WRONLY); }
static void c_flock(struct waiting *w) { flock(w->ends[1], LOCK_UN); }
static void c_setlk(struct waiting *w)
{
	struct flock lock = { .l_type = F_UNLCK };
	fcntl(w->ends[1], F_OFD_SETLK, &lock);
}
static void c_nothing(struct waiting *w) { (void)w; }

static void prepare(struct waiting *w)
{
	struct flock lock = { .l_type = F_WRLCK };
	if (w->complete == c_connect) {
		w->ends[0] = listen_at(&w->at);
	} else if (w->complete == c_open_fifo) {
		unlink(in_directory("fifo"));
		mkfifo(in_directory("fifo"), 0600);
	} else if (w->call == w_read) {
		mkfifo(in_directory("pipe"), 0600);
		w->ends[0] = open(in_directory("pipe"), O_RDWR);
		w->ends[1] = dup(w->ends[0]);
	} else if (w->complete == c_flock || w->complete == c_setlk) {
		w->ends[0] = open(in_directory("locked"), O_RDWR | O_CREAT, 0600);
		w->ends[1] = open(in_directory("locked"), O_RDWR);
		w->complete == c_flock ? flock(w->ends[1], LOCK_EX) : fcntl(w->ends[1], F_OFD_SETLK, &lock);
	} else {
		stream_pair(w->ends);
		int silent[2];
		if (pipe(silent) == 0)
			w->at.sin_port = silent[0];
	}
}

static void *complete_later(void *arg)
{
	struct waiting *w = arg;
	usleep(120 * MS);
	w->complete(w);
	return 0;
}

static void restart(void)
{
	static struct waiting all[] = {
		WAITING("recv", w_recv, c_write), WAITING("recvmsg", w_recvmsg, c_write), WAITING("read of a fifo", w_read, c_write),
		WAITING("accept", w_accept, c_connect), WAITING("send", w_send, c_drain), WAITING("open of a fifo", w_open_fifo, c_open_fifo),
		WAITING("flock", w_flock, c_flock), WAITING("F_OFD_SETLKW", w_setlkw, c_setlk),
		WAITING("poll", w_poll, c_write), WAITING("mixed poll", w_mixed_poll, c_write), WAITING("select", w_select, c_write),
		WAITING("epoll_wait", w_epoll, c_write), WAITING("recv with SO_RCVTIMEO", w_timed_recv, c_write), WAITING("pause", w_pause, c_nothing),
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
			struct itimerval once = { { 0, 0 }, { 0, 30 * MS } };
			struct waiting w = all[i];
			pthread_t thread;
			sigset_t alarm, before;
			prepare(&w);
			handle(SIGALRM, on_signal, flags);
			sigemptyset(&alarm);
			sigaddset(&alarm, SIGALRM);
			pthread_sigmask(SIG_BLOCK, &alarm, &before);
			pthread_create(&thread, 0, complete_later, &w);
			pthread_sigmask(SIG_SETMASK, &before, 0);
			caught = 0;
			setitimer(ITIMER_REAL, &once, 0);
			long answer = w.call(&w);
			int why = answer < 0 ? errno : 0;
			if (answer < 0 && w.complete == c_open_fifo)
				w.ends[0] = open(in_directory("fifo"), O_RDWR);
			pthread_join(thread, 0);
			printf("%s, %s: %ld %s, caught %d\n", w.name, flags ? "SA_RESTART" : "no restart", answer,
				why ? strerror(why) : "", caught);
			close(w.ends[0]);
			close(w.ends[1]);
		}
}

/* A handler that talks to the kernel while a call of the same thread is under way. */
static int in_handler[2];

static void talk(int number)
{
	char text[8] = "";
	(void)number;
	if (write(in_handler[0], "hello", 5) == 5 && read(in_handler[1], text, 5) == 5 && !strcmp(text, "hello"))
		caught++;
}

static void *write_later(void *arg)
{
	usleep(150 * MS);
	if (write(*(int *)arg, "late", 4) != 4)
		perror("write");
	return 0;
}

static void handlers(void)
{
	struct itimerval often = { { 0, 10 * MS }, { 0, 10 * MS } }, never = { { 0, 0 }, { 0, 0 } };
	int ends[2];
	pthread_t thread;
	sigset_t alarm, before;
	stream_pair(in_handler);
	stream_pair(ends);
	handle(SIGALRM, talk, SA_RESTART);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, &before);
	pthread_create(&thread, 0, write_later, &ends[1]);
	pthread_sigmask(SIG_SETMASK, &before, 0);
	setitimer(ITIMER_REAL, &often, 0);
	long answer = recv(ends[0], buffer, 100, 0);
	setitimer(ITIMER_REAL, &never, 0);
	printf("recv %ld, the handler talked %d\n", answer, caught > 3);
	pthread_join(thread, 0);
}

/* Cancellation where a thread waits. */
static struct waiting cancelled;
static int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *wait_for_ever(void *arg)
{
	pthread_cleanup_push(clean, 0);
	if (arg)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
	cancelled.call(&cancelled);
	pthread_cleanup_pop(0);
	return 0;
}

static void *not_cancelled(void *arg)
{
	int before;
	(void)arg;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return (void *)recv(cancelled.ends[0], buffer, 4, 0);
}

static void cancel(void)
{
	long (*calls[])(struct waiting *) = { w_recv, w_read, w_accept, w_poll, w_select, w_epoll, w_open_fifo, w_setlkw };
	void (*completes[])(struct waiting *) = { c_write, c_write, c_connect, c_write, c_write, c_write, c_open_fifo, c_setlk };
	pthread_t thread;
	void *answer;
	for (size_t i = 0; i < 2 * sizeof calls / sizeof *calls; i++) {
		cancelled = (struct waiting)WAITING("", calls[i / 2], completes[i / 2]);
		prepare(&cancelled);
		cleaned = 0;
		pthread_create(&thread, 0, wait_for_ever, (void *)(i % 2));
		usleep(20 * MS);
		pthread_cancel(thread);
		pthread_join(thread, &answer);
		printf("%zu: cancelled %d, cleaned %d\n", i, answer == PTHREAD_CANCELED, cleaned);
	}
	cancelled = (struct waiting)WAITING("", w_recv, c_write);
	prepare(&cancelled);
	pthread_create(&thread, 0, not_cancelled, 0);
	usleep(20 * MS);
	pthread_cancel(thread);
	c_write(&cancelled);
	pthread_join(thread, &answer);
	printf("disabled: %ld\n", (long)(intptr_t)answer);
}

/* Many threads that wait at once. */
static int listener;
static sem_t ready;

static void *wait_for_one(void *arg)
{
	int one = accept(listener, 0, 0);
	char text[8];
	sem_post(&ready);
	long got = recv(one, text, sizeof text, 0);
	close(one);
	(void)arg;
	return (void *)got;
}

static void threads(void)
{
	static pthread_t all[THREADS];
	static int clients[THREADS];
	struct sockaddr_in at;
	pthread_attr_t small;
	long sum = 0;
	void *got;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	sem_init(&ready, 0, 0);
	listener = listen_at(&at);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&all[i], &small, wait_for_one, 0))
			perror("pthread_create");
	for (int i = 0; i < THREADS; i++)
		clients[i] = connect_to(&at);
	for (int i = 0; i < THREADS; i++)
		sem_wait(&ready);
	for (int i = 0; i < THREADS; i++)
		if (write(clients[i], "hello", 5) != 5)
			perror("write");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(all[i], &got);
		sum += (long)(intptr_t)got;
	}
	printf("%d threads got %ld bytes\n", THREADS, sum);
}

/* An alarm every 200 us over a conversation, whose handler leaves by siglongjmp now and then. */
static sigjmp_buf out;
static volatile sig_atomic_t may_jump;

static void jump(int number)
{
	(void)number;
	caught++;
	if (may_jump && caught % 7 == 0) {
		may_jump = 0;
		siglongjmp(out, 1);
	}
}

static void *echo(void *arg)
{
	int *fd = arg;
	char c;
	while (recv(*fd, &c, 1, 0) == 1)
		send(*fd, &c, 1, 0);
	return 0;
}

static void storm(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	int ends[2], silent[2];
	volatile int right = 0, jumps = 0;
	pthread_t thread;
	sigset_t all, none;
	stream_pair(ends);
	stream_pair(silent);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &none);
	pthread_create(&thread, 0, echo, &ends[1]);
	pthread_sigmask(SIG_SETMASK, &none, 0);
	handle(SIGALRM, jump, SA_RESTART);
	setitimer(ITIMER_REAL, &often, 0);
	for (int i = 0; i < 500; i++) {
		char c = i, back = 0;
		if (send(ends[0], &c, 1, 0) == 1 && recv(ends[0], &back, 1, MSG_WAITALL) == 1 && back == c)
			right++;
		if (sigsetjmp(out, 1) == 0) {
			may_jump = 1;
			recv(silent[0], &back, 1, 0);
		}
		jumps++;
	}
	setitimer(ITIMER_REAL, &never, 0);
	shutdown(ends[0], SHUT_WR);
	pthread_join(thread, 0);
	printf("right %d, jumps %d\n", right, jumps);
}

/* Faults with their addresses, on a stack of their own. */
static sigjmp_buf after_fault;
static void *volatile fault_at;
static volatile int on_stack;
static char alternative[64 << 10];

static void on_fault(int number, siginfo_t *info, void *context)
{
	char here;
	(void)context;
	fault_at = info->si_addr;
	on_stack = &here > alternative && &here < alternative + sizeof alternative;
	if (write(in_handler[0], "x", 1) != 1)
		perror("write");
	siglongjmp(after_fault, number);
}

static void faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_sp = alternative, .ss_size = sizeof alternative };
	char *page = mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int number;
	stream_pair(in_handler);
	sigaltstack(&stack, 0);
	sigaction(SIGSEGV, &action, 0);
	sigaction(SIGBUS, &action, 0);
	sigaction(SIGFPE, &action, 0);
	for (volatile int i = 0; i < 3; i++) {
		if ((number = sigsetjmp(after_fault, 1)) == 0)
			page[i * 100] = 1;
		printf("signal %d, right address %d, own stack %d\n", number, fault_at == page + i * 100, on_stack);
	}
	volatile int zero = 0, dividend = 7;
	if ((number = sigsetjmp(after_fault, 1)) == 0)
		zero = dividend / zero;
	printf("signal %d, own stack %d\n", number, on_stack);
	printf("handlers wrote %zd\n", read(in_handler[1], buffer, 100));
}

/* The process ends while calls wait in it. */
static void *wait_in(void *arg)
{
	char c;
	recv(*(int *)arg, &c, 1, 0);
	return 0;
}

static void ends(void)
{
	for (int how = 0; how < 4; how++) {
		int status;
		pid_t child = fork();
		if (child == 0) {
			pthread_t thread;
			int pairs[8][2];
			for (int i = 0; i < 8; i++) {
				stream_pair(pairs[i]);
				pthread_create(&thread, 0, wait_in, &pairs[i][0]);
			}
			usleep(30 * MS);
			switch (how) {
			case 0: exit(5);
			case 1: _exit(6);
			case 2: kill(getpid(), SIGKILL); break;
			default: execl("/bin/sh", "sh", "-c", "exit 7", (char *)0);
			}
			_exit(8);
		}
		waitpid(child, &status, 0);
		printf("%d: exit %d, signal %d\n", how, WEXITSTATUS(status), WTERMSIG(status));
	}
	/* The first thread ends, the others go on. */
	fflush(stdout);
	if (fork() == 0) {
		static int pair[2];
		pthread_t thread;
		stream_pair(pair);
		pthread_create(&thread, 0, write_later, &pair[1]);
		pthread_create(&thread, 0, wait_in, &pair[0]);
		pthread_exit(0);
	}
	int status;
	wait(&status);
	printf("last thread: %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } all[] = {
		{ "restart", restart }, { "handlers", handlers }, { "cancel", cancel }, { "threads", threads },
		{ "storm", storm }, { "faults", faults }, { "ends", ends },
	};
	setvbuf(stdout, 0, _IOLBF, 0);
	directory = argv[argc - 1];
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(argv[1], all[i].name))
			all[i].run();
	return 0;
}
