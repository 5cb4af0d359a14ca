/* A thread, a fork and the environment under a C library that passes its initialisers nothing. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *thread(void *arg)
{
	(void)arg;
	puts("thread");
	return 0;
}

int main(void)
{
	pthread_t t;
	int status;
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
	puts(getenv("LC_ALL"));
	fflush(stdout);
	if (!fork())
		_exit(3);
	wait(&status);
	printf("%d\n", WEXITSTATUS(status));
	return 0;
}
