/* Short-lived processes: h_soak COUNT. Each opens files and sockets of its own and ends in one of several ways; none says goodbye. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* At once. */
enum { AT_ONCE = 8 };

static struct sockaddr_in server;

static void open_things(void)
{
	char name[64];
	int pair[2];
	snprintf(name, sizeof(name), "/rump/soak.%d", getpid());
	int fd = open(name, O_CREAT | O_RDWR, 0600), set = epoll_create1(0);
	write(fd, "soak", 4);
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	(void)memory;
	unlink(name);
	fcntl(fd, F_SETLK, &(struct flock){ F_WRLCK, SEEK_SET, 0, 0 });
	flock(fd, LOCK_EX);
	socketpair(AF_INET, SOCK_STREAM, 0, pair);
	int client = socket(AF_INET, SOCK_STREAM, 0);
	connect(client, (struct sockaddr *)&server, sizeof(server));
	struct epoll_event event = { EPOLLIN };
	epoll_ctl(set, EPOLL_CTL_ADD, client, &event);
}

/* Waits in the kernel until it is killed. */
static void parked(int how)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, how % 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
	static char block[1 << 20];
	bind(fd, (struct sockaddr *)&address, sizeof(address));
	switch (how) {
	case 0:
		recv(fd, block, sizeof(block), 0);
		break;
	case 1:
		listen(fd, 5);
		accept(fd, NULL, NULL);
		break;
	case 2:
		poll(&(struct pollfd){ fd, POLLIN }, 1, -1);
		break;
	case 3: {
		int other = open("/rump/lock", O_CREAT | O_RDWR, 0600);
		flock(other, LOCK_EX);
		break;
	}
	case 4:
		/* Killed between the pieces of a request, sooner or later. */
		for (int file = open("/rump/big", O_CREAT | O_RDWR, 0600);;)
			pwrite(file, block, sizeof(block), 0);
	case 5: {
		int client = socket(AF_INET, SOCK_STREAM, 0);
		connect(client, (struct sockaddr *)&server, sizeof(server));
		for (;;)
			write(client, block, sizeof(block));
	}
	}
	pause();
}

static void live(int number)
{
	open_things();
	switch (number % 4) {
	case 0:
		_exit(0);
	case 1:
		execl("/bin/true", "true", NULL);
		_exit(1);
	case 2:
		if (vfork() == 0) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		_exit(0);
	default:
		parked(number / 4 % 6);
	}
}

int main(int argc, char **argv)
{
	int count = atoi(argv[1]), listener = socket(AF_INET, SOCK_STREAM, 0), lock = open("/rump/lock", O_CREAT | O_RDWR, 0600);
	socklen_t length = sizeof(server);
	pid_t children[AT_ONCE] = { 0 };
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bind(listener, (struct sockaddr *)&server, length);
	getsockname(listener, (struct sockaddr *)&server, &length);
	listen(listener, 100);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	flock(lock, LOCK_EX);
	for (int number = 0; number < count; number++) {
		pid_t *child = &children[number % AT_ONCE];
		if (*child != 0) {
			kill(*child, SIGKILL);
			waitpid(*child, NULL, 0);
		}
		*child = fork();
		if (*child == 0)
			live(number);
		for (int accepted; (accepted = accept(listener, NULL, NULL)) != -1;)
			close(accepted);
	}
	for (int at = 0; at < AT_ONCE; at++)
		if (children[at] != 0) {
			kill(children[at], SIGKILL);
			waitpid(children[at], NULL, 0);
		}
	unlink("/rump/lock");
	unlink("/rump/big");
	printf("%d\n", count);
	return 0;
}
