/* An alarm every 50 us, whose handler now and then leaves by siglongjmp, over calls that block and calls that do not,
 * in two threads; forks, vforks and posix_spawns in between. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sigjmp_buf out;
static volatile sig_atomic_t may_jump, alarms;

static void on_alarm(int signal)
{
	int saved = errno;
	(void)signal;
	alarms++;
	getppid();
	errno = saved;
	if (may_jump && alarms % 3 == 0) {
		may_jump = 0;
		siglongjmp(out, 1);
	}
}

static void *reader(void *arg)
{
	int *fds = arg;
	char c;
	int n = 0;
	while (read(fds[0], &c, 1) == 1)
		n++;
	return (void *)(long)n;
}

int main(void)
{
	int fds[2], bytes = 0;
	pthread_t thread;
	sigset_t mask, empty;
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	sigemptyset(&empty);
	if (pipe(fds))
		return 1;
	/* The reader takes no alarms. */
	sigfillset(&mask);
	pthread_sigmask(SIG_SETMASK, &mask, 0);
	pthread_create(&thread, 0, reader, fds);
	pthread_sigmask(SIG_SETMASK, &empty, 0);
	sigaction(SIGALRM, &action, 0);
	struct itimerval often = { { 0, 50 }, { 0, 50 } };
	setitimer(ITIMER_REAL, &often, 0);
	for (int i = 0; i < 3000; i++) {
		if (sigsetjmp(out, 1) == 0) {
			may_jump = 1;
			struct timespec t = { 0, 100000 };
			switch (i % 4) {
			case 0: nanosleep(&t, 0); break;
			case 1: poll(0, 0, 1); break;
			case 2: ppoll(0, 0, &t, &mask); break;
			default: pselect(0, 0, 0, 0, &t, &empty);
			}
		}
		may_jump = 0;
		while (write(fds[1], "x", 1) != 1)
			;
		bytes++;
	}
	char *argv[] = { "true", 0 };
	char *envp[] = { 0 };
	int children = 0, status;
	for (int i = 0; i < 60; i++) {
		pid_t pid;
		if (i % 3 == 0) {
			pid = fork();
			if (!pid)
				_exit(i);
		} else if (i % 3 == 1) {
			pid = vfork();
			if (!pid)
				_exit(i);
		} else if (posix_spawn(&pid, "/bin/true", 0, 0, argv, envp)) {
			continue;
		}
		while (waitpid(pid, &status, 0) != pid)
			;
		children += WIFEXITED(status) && WEXITSTATUS(status) == (i % 3 == 2 ? 0 : i);
	}
	often = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &often, 0);
	close(fds[1]);
	void *n;
	pthread_join(thread, &n);
	printf("%d %d alarms:%d\n", (int)(long)n == bytes, children, alarms > 100);
	return 0;
}
