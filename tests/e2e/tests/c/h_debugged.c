/* Something to debug: a conversation over a socket, a child, and calls to step over. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int pair[2];

__attribute__((noinline)) int served(int number)
{
	char text[8] = "";
	int sent = (int)send(pair[0], "hello", 5, 0);
	int got = (int)recv(pair[1], text, sizeof text, 0);
	return number + sent + got;
}

__attribute__((noinline)) int outer(int number)
{
	int answer = served(number);
	return answer + 1;
}

static void on_signal(int number)
{
	(void)number;
	outer(5);
}

int main(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0), status;
	bind(listener, (void *)&at, sizeof at);
	listen(listener, 1);
	getsockname(listener, (void *)&at, &size);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(pair[0], (void *)&at, sizeof at))
		perror("connect");
	pair[1] = accept(listener, 0, 0);
	int answer = outer(1);
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	pid_t child = fork();
	if (child == 0)
		_exit(3);
	waitpid(child, &status, 0);
	printf("answer %d, child %d\n", answer, WEXITSTATUS(status));
	return 4;
}
