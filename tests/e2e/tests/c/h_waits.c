/*
 * Calls that wait, each in a process of its own: h_waits DIRECTORY HOW. Prints what becomes of each, the same natively and hijacked.
 * restart: interrupted by a handler with and without SA_RESTART, with and without a time-out of the socket, as signal(7) lists them.
 * leave: ended by siglongjmp(3) out of a handler, and by pthread_cancel(3), and made once more.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 16];
static const char *directory;

/* What the waiting process tells the one that interrupts it. */
static struct shared {
	volatile int about, caught, left, ended, why;
	volatile long answer;
} *shared;

/* The ends of what is waited for: the first is the waiting process's. */
struct ends {
	int mine, other;
	struct sockaddr_storage at;
	socklen_t size;
};

static void on_signal(int number)
{
	(void)number;
	shared->caught++;
}

static sigjmp_buf out;

static void leave(int number)
{
	(void)number;
	shared->caught++;
	siglongjmp(out, 1);
}

static const char *in_directory(const char *name)
{
	static char path[4096];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* Pairs */

static void listening(struct ends *e, int family, int backlog)
{
	e->mine = socket(family, SOCK_STREAM, 0);
	e->size = sizeof(e->at);
	memset(&e->at, 0, sizeof(e->at));
	if (family == AF_INET) {
		*(struct sockaddr_in *)&e->at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		bind(e->mine, (void *)&e->at, sizeof(struct sockaddr_in));
	} else {
		struct sockaddr_un *at = (void *)&e->at;
		at->sun_family = AF_UNIX;
		snprintf(at->sun_path, sizeof(at->sun_path), "%s", in_directory("socket"));
		unlink(at->sun_path);
		bind(e->mine, (void *)at, sizeof(*at));
	}
	listen(e->mine, backlog);
	getsockname(e->mine, (void *)&e->at, &e->size);
	e->other = -1;
}

static void pair_of(struct ends *e, int family)
{
	listening(e, family, 5);
	int listener = e->mine;
	e->other = socket(family, SOCK_STREAM, 0);
	connect(e->other, (void *)&e->at, e->size);
	e->mine = accept(listener, NULL, NULL);
	close(listener);
}

static void tcp(struct ends *e) { pair_of(e, AF_INET); }
static void unix_stream(struct ends *e) { pair_of(e, AF_UNIX); }
static void tcp_listener(struct ends *e) { listening(e, AF_INET, 5); }
static void unix_listener(struct ends *e) { listening(e, AF_UNIX, 5); }

static void udp(struct ends *e)
{
	struct sockaddr_in *at = (void *)&e->at;
	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	e->mine = socket(AF_INET, SOCK_DGRAM, 0);
	e->other = socket(AF_INET, SOCK_DGRAM, 0);
	e->size = sizeof(*at);
	bind(e->mine, (void *)at, e->size);
	getsockname(e->mine, (void *)at, &e->size);
	connect(e->other, (void *)at, e->size);
}

static void unix_datagrams(struct ends *e)
{
	int both[2];
	socketpair(AF_UNIX, SOCK_DGRAM, 0, both);
	e->mine = both[0], e->other = both[1];
}

static void fill(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	/* What is on its way makes room once it has arrived. */
	for (int quiet = 0; quiet < 3; quiet++) {
		while (write(fd, buffer, sizeof(buffer)) > 0)
			quiet = 0;
		while (write(fd, buffer, 1) > 0)
			;
		usleep(1000);
	}
	fcntl(fd, F_SETFL, flags);
}

static void tcp_full(struct ends *e) { tcp(e), fill(e->mine); }
static void unix_full(struct ends *e) { unix_stream(e), fill(e->mine); }
static void datagrams_full(struct ends *e) { unix_datagrams(e), fill(e->mine); }

static void fifo(struct ends *e)
{
	mkfifo(in_directory("fifo"), 0600);
	e->mine = open(in_directory("fifo"), O_RDWR);
	e->other = open(in_directory("fifo"), O_RDWR);
}
static void fifo_full(struct ends *e) { fifo(e), fill(e->mine); }

static void lonely_fifo(struct ends *e)
{
	unlink(in_directory("lonely"));
	mkfifo(in_directory("lonely"), 0600);
	e->mine = e->other = -1;
}

/* The backlog is full: the next connection waits. */
static void unix_backlog(struct ends *e)
{
	listening(e, AF_UNIX, 0);
	e->other = e->mine;
	int first = socket(AF_UNIX, SOCK_STREAM, 0);
	connect(first, (void *)&e->at, e->size);
	e->mine = socket(AF_UNIX, SOCK_STREAM, 0);
}

static void locked(struct ends *e)
{
	e->mine = open(in_directory("locked"), O_RDWR | O_CREAT, 0600);
	e->other = open(in_directory("locked"), O_RDWR);
	flock(e->other, LOCK_EX);
}

static void record_locked(struct ends *e)
{
	struct flock lock = { .l_type = F_WRLCK };
	e->mine = open(in_directory("locked"), O_RDWR | O_CREAT, 0600);
	e->other = open(in_directory("locked"), O_RDWR);
	fcntl(e->other, F_OFD_SETLK, &lock);
}

static void watching(struct ends *e)
{
	e->other = -1;
	e->mine = inotify_init();
	inotify_add_watch(e->mine, directory, IN_CREATE);
}

/* Calls */

static struct iovec part = { buffer, 4 };
static struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

/* Some number, of a descriptor or of bytes, that may differ. */
static long some(long answer) { return answer < 0 ? answer : 1; }

static long do_read(struct ends *e) { return some(read(e->mine, buffer, 400)); }
static long do_readv(struct ends *e) { return readv(e->mine, &part, 1); }
static long do_recv(struct ends *e) { return recv(e->mine, buffer, 4, 0); }
static long do_recv_all(struct ends *e) { return recv(e->mine, buffer, 8, MSG_WAITALL); }
static long do_recv_part(struct ends *e)
{
	if (write(e->other, "begin", 5) != 5)
		perror("write");
	return recv(e->mine, buffer, 9, MSG_WAITALL);
}
static long do_peek(struct ends *e) { return recv(e->mine, buffer, 4, MSG_PEEK); }
static long do_recvmsg(struct ends *e) { return recvmsg(e->mine, &message, 0); }
static long do_recvmmsg(struct ends *e) { return recvmmsg(e->mine, &(struct mmsghdr){ .msg_hdr = message }, 1, 0, NULL); }
static long do_recvmmsg_timed(struct ends *e)
{
	return recvmmsg(e->mine, &(struct mmsghdr){ .msg_hdr = message }, 1, 0, &(struct timespec){ 5, 0 });
}
static long do_write(struct ends *e) { return write(e->mine, buffer, 1); }
static long do_writev(struct ends *e) { return writev(e->mine, &part, 1); }
static long do_send(struct ends *e) { return send(e->mine, buffer, 1, 0); }
static long do_sendmsg(struct ends *e) { return sendmsg(e->mine, &message, 0); }
static long do_sendmmsg(struct ends *e) { return sendmmsg(e->mine, &(struct mmsghdr){ .msg_hdr = message }, 1, 0); }
static long do_sendfile(struct ends *e)
{
	int file = open(in_directory("file"), O_RDWR | O_CREAT, 0600);
	if (ftruncate(file, 100))
		perror("ftruncate");
	return sendfile(e->mine, file, NULL, 100);
}
static long do_splice(struct ends *e)
{
	int ends[2];
	return pipe(ends) ? -1 : splice(e->mine, NULL, ends[1], NULL, 4, 0);
}
static long do_accept(struct ends *e) { return some(accept(e->mine, NULL, NULL)); }
static long do_connect(struct ends *e) { return connect(e->mine, (void *)&e->at, e->size); }
static long do_open(struct ends *e)
{
	(void)e;
	return some(open(in_directory("lonely"), O_RDONLY));
}
static long do_open_to_write(struct ends *e)
{
	(void)e;
	return some(open(in_directory("lonely"), O_WRONLY));
}
static long do_flock(struct ends *e) { return flock(e->mine, LOCK_EX); }
static long do_setlkw(struct ends *e) { return fcntl(e->mine, F_OFD_SETLKW, &(struct flock){ .l_type = F_WRLCK }); }
static long do_poll(struct ends *e) { return poll(&(struct pollfd){ e->mine, POLLIN, 0 }, 1, 5000); }
static long do_poll_for_ever(struct ends *e) { return poll(&(struct pollfd){ e->mine, POLLIN, 0 }, 1, -1); }
static long do_ppoll(struct ends *e)
{
	return ppoll(&(struct pollfd){ e->mine, POLLIN, 0 }, 1, &(struct timespec){ 5, 0 }, NULL);
}
static long do_ppoll_masked(struct ends *e)
{
	sigset_t none;
	sigemptyset(&none);
	return ppoll(&(struct pollfd){ e->mine, POLLIN, 0 }, 1, &(struct timespec){ 5, 0 }, &none);
}
static long do_select(struct ends *e)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(e->mine, &set);
	return select(e->mine + 1, &set, NULL, NULL, &(struct timeval){ 5, 0 });
}
static long do_pselect(struct ends *e)
{
	fd_set set;
	sigset_t none;
	sigemptyset(&none);
	FD_ZERO(&set);
	FD_SET(e->mine, &set);
	return pselect(e->mine + 1, &set, NULL, NULL, NULL, &none);
}
static int set_of(struct ends *e)
{
	int set = epoll_create1(0);
	epoll_ctl(set, EPOLL_CTL_ADD, e->mine, &(struct epoll_event){ .events = EPOLLIN });
	return set;
}
static long do_epoll_wait(struct ends *e)
{
	struct epoll_event event;
	return epoll_wait(set_of(e), &event, 1, 5000);
}
static long do_epoll_pwait2(struct ends *e)
{
	struct epoll_event event;
	sigset_t none;
	sigemptyset(&none);
	return epoll_pwait2(set_of(e), &event, 1, NULL, &none);
}
/* What ends the waiting */

static void send_some(struct ends *e)
{
	if (write(e->other, "data----", 8) != 8)
		perror("write");
}
static void send_four(struct ends *e)
{
	if (write(e->other, "data", 4) != 4)
		perror("write");
}
static void come(struct ends *e)
{
	int one = socket(e->at.ss_family, SOCK_STREAM, 0);
	connect(one, (void *)&e->at, e->size);
	usleep(20000);
	close(one);
}
static void drain(struct ends *e)
{
	fcntl(e->other, F_SETFL, O_NONBLOCK);
	for (int quiet = 0; quiet < 5; quiet++, usleep(1000))
		while (read(e->other, buffer, sizeof(buffer)) > 0)
			quiet = 0;
}
static void let_in(struct ends *e)
{
	int one = accept(e->other, NULL, NULL);
	close(one);
}
static void open_writing(struct ends *e) { e->other = open(in_directory("lonely"), O_RDWR | O_NONBLOCK); }
static void unlock(struct ends *e)
{
	flock(e->other, LOCK_UN);
	fcntl(e->other, F_OFD_SETLK, &(struct flock){ .l_type = F_UNLCK });
}
static void create(struct ends *e)
{
	(void)e;
	unlink(in_directory("created"));
	close(open(in_directory("created"), O_CREAT | O_RDWR, 0600));
}

static const struct waiting {
	const char *name;
	void (*prepare)(struct ends *);
	long (*call)(struct ends *);
	void (*complete)(struct ends *);
	/* The option whose time-out holds for it, or 0. */
	int timed;
} all[] = {
	{ "read, TCP", tcp, do_read, send_some, SO_RCVTIMEO },
	{ "readv, TCP", tcp, do_readv, send_some, SO_RCVTIMEO },
	{ "recv, TCP", tcp, do_recv, send_some, SO_RCVTIMEO },
	{ "recv of all, TCP", tcp, do_recv_all, send_some, SO_RCVTIMEO },
	{ "recv of the rest, TCP", tcp, do_recv_part, send_four, SO_RCVTIMEO },
	{ "recv to look, TCP", tcp, do_peek, send_some, SO_RCVTIMEO },
	{ "recvmsg, TCP", tcp, do_recvmsg, send_some, SO_RCVTIMEO },
	{ "recvmmsg, UDP", udp, do_recvmmsg, send_some, SO_RCVTIMEO },
	{ "recvmmsg with a time, UDP", udp, do_recvmmsg_timed, send_some, SO_RCVTIMEO },
	{ "recv, UDP", udp, do_recv, send_some, SO_RCVTIMEO },
	{ "recv, AF_UNIX", unix_stream, do_recv, send_some, SO_RCVTIMEO },
	{ "recv of the rest, AF_UNIX", unix_stream, do_recv_part, send_four, SO_RCVTIMEO },
	{ "recv, AF_UNIX datagrams", unix_datagrams, do_recv, send_some, SO_RCVTIMEO },
	{ "read, fifo", fifo, do_read, send_some, 0 },
	{ "write, TCP", tcp_full, do_write, drain, SO_SNDTIMEO },
	{ "writev, TCP", tcp_full, do_writev, drain, SO_SNDTIMEO },
	{ "send, TCP", tcp_full, do_send, drain, SO_SNDTIMEO },
	{ "sendmsg, TCP", tcp_full, do_sendmsg, drain, SO_SNDTIMEO },
	{ "sendmmsg, TCP", tcp_full, do_sendmmsg, drain, SO_SNDTIMEO },
	{ "sendfile, TCP", tcp_full, do_sendfile, drain, SO_SNDTIMEO },
	{ "send, AF_UNIX", unix_full, do_send, drain, SO_SNDTIMEO },
	{ "send, AF_UNIX datagrams", datagrams_full, do_send, drain, SO_SNDTIMEO },
	{ "write, fifo", fifo_full, do_write, drain, 0 },
	{ "splice, TCP", tcp, do_splice, send_some, SO_RCVTIMEO },
	{ "accept, TCP", tcp_listener, do_accept, come, SO_RCVTIMEO },
	{ "accept, AF_UNIX", unix_listener, do_accept, come, SO_RCVTIMEO },
	{ "connect, AF_UNIX", unix_backlog, do_connect, let_in, SO_SNDTIMEO },
	{ "open of a fifo", lonely_fifo, do_open, open_writing, 0 },
	{ "open of a fifo to write", lonely_fifo, do_open_to_write, open_writing, 0 },
	{ "flock", locked, do_flock, unlock, 0 },
	{ "F_OFD_SETLKW", record_locked, do_setlkw, unlock, 0 },
	{ "poll", tcp, do_poll, send_some, SO_RCVTIMEO },
	{ "poll for ever", tcp, do_poll_for_ever, send_some, 0 },
	{ "ppoll", tcp, do_ppoll, send_some, 0 },
	{ "ppoll with a mask", tcp, do_ppoll_masked, send_some, 0 },
	{ "select", tcp, do_select, send_some, 0 },
	{ "pselect", tcp, do_pselect, send_some, 0 },
	{ "epoll_wait", tcp, do_epoll_wait, send_some, 0 },
	{ "epoll_pwait2", tcp, do_epoll_pwait2, send_some, 0 },
	{ "read, inotify", watching, do_read, create, 0 },
};

static int is_asleep(pid_t pid)
{
	char path[64], text[512], *at;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = 0;
	return (at = strrchr(text, ')')) && at[2] == 'S';
}

static int within(volatile int *what, int ms)
{
	for (int at = 0; at < ms * 4 && !*what; at++)
		usleep(250);
	return *what;
}

static void answer(long answer)
{
	shared->answer = answer;
	shared->why = answer < 0 ? errno : 0;
	shared->ended = 1;
	_exit(0);
}

static void wait_in(const struct waiting *w, struct ends *e, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
	sigaction(SIGUSR1, &action, NULL);
	alarm(10);
	shared->about = 1;
	answer(w->call(e));
}

/* Until a process sleeps, and not in passing. */
static void until_asleep(pid_t pid)
{
	within(&shared->about, 5000);
	for (int asleep = 0, tries = 0; asleep < 6 && tries < 2000; tries++, usleep(500))
		asleep = is_asleep(pid) ? asleep + 1 : 0;
}

static pid_t begin(const struct waiting *w, struct ends *e)
{
	*e = (struct ends){ -1, -1, { 0 }, 0 };
	w->prepare(e);
	memset(shared, 0, sizeof(*shared));
	return fork();
}

static void end(struct ends *e, pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(e->mine);
	close(e->other);
}

/* Interrupted once it sleeps, then completed if that did not end the call. */
static void interrupt(const struct waiting *w, int flags, int timed)
{
	struct ends e;
	pid_t child = begin(w, &e);
	if (child == 0) {
		if (timed)
			setsockopt(e.mine, SOL_SOCKET, w->timed, &(struct timeval){ 5, 0 }, sizeof(struct timeval));
		wait_in(w, &e, flags);
	}
	until_asleep(child);
	kill(child, SIGUSR1);
	within(&shared->caught, 5000);
	int interrupted = within(&shared->ended, 8);
	if (!interrupted)
		w->complete(&e);
	within(&shared->ended, 5000);
	printf("%s, %s%s: %s %ld %s, caught %d\n", w->name, flags ? "SA_RESTART" : "none", timed ? ", timed" : "",
		interrupted ? "interrupted" : "goes on", shared->answer, shared->why ? strerrorname_np(shared->why) : "", shared->caught);
	end(&e, child);
}

static void restart(const struct waiting *w)
{
	for (int kind = 0; kind < (w->timed ? 4 : 2); kind++)
		interrupt(w, kind & 1 ? SA_RESTART : 0, kind & 2);
}

static struct { const struct waiting *w; struct ends *e; } in_thread;

static void cleaned(void *nothing)
{
	(void)nothing;
	shared->left++;
}

static void *thread(void *asynchronous)
{
	pthread_cleanup_push(cleaned, NULL);
	if (asynchronous)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	shared->about = 1;
	in_thread.w->call(in_thread.e);
	pthread_cleanup_pop(0);
	return NULL;
}

static void leave_by_jump(const struct waiting *w, struct ends *e)
{
	struct sigaction action = { .sa_handler = leave };
	sigaction(SIGUSR1, &action, NULL);
	if (sigsetjmp(out, 1) == 0) {
		shared->about = 1;
		w->call(e);
	}
	shared->left = 1;
}

static void leave_by_cancelling(const struct waiting *w, struct ends *e, int asynchronous)
{
	pthread_t id;
	void *got;
	in_thread.w = w, in_thread.e = e;
	pthread_create(&id, NULL, thread, asynchronous ? e : NULL);
	within(&shared->about, 5000);
	usleep(10000);
	pthread_cancel(id);
	pthread_join(id, &got);
	shared->caught = got == PTHREAD_CANCELED;
}

/* Left in the middle, and made once more: nothing is lost by it. */
static void leave_and_again(const struct waiting *w)
{
	for (int how = 0; how < 3; how++) {
		struct ends e;
		/* The C library has no cancellation point there. */
		if (how == 1 && (w->call == do_sendfile || w->call == do_flock))
			continue;
		pid_t child = begin(w, &e);
		if (child == 0) {
			alarm(10);
			how == 0 ? leave_by_jump(w, &e) : leave_by_cancelling(w, &e, how == 2);
			shared->about = 2;
			answer(w->call(&e));
		}
		if (how == 0) {
			until_asleep(child);
			kill(child, SIGUSR1);
		}
		within(&shared->left, 5000);
		while (shared->about != 2 && kill(child, 0) == 0 && !within(&shared->ended, 1))
			;
		until_asleep(child);
		w->complete(&e);
		within(&shared->ended, 5000);
		printf("%s, %s: left %d, caught %d, then %ld %s\n", w->name, how == 0 ? "jump" : how == 1 ? "cancelled" : "cancelled at once",
			shared->left, shared->caught, shared->answer, shared->why ? strerrorname_np(shared->why) : "");
		end(&e, child);
	}
}

int main(int argc, char **argv)
{
	directory = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t at = 0; at < sizeof(all) / sizeof(*all); at++)
		if (argc < 4 || strstr(all[at].name, argv[3]))
			strcmp(argv[2], "restart") == 0 ? restart(&all[at]) : leave_and_again(&all[at]);
	return 0;
}
