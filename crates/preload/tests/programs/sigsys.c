/* SIGSYS is the program's as far as it can tell. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	printf("handler %d\n", signal);
}

int main(void)
{
	struct sigaction action, old;
	sigset_t all;
	memset(&action, 0, sizeof(action));
	sigaction(SIGSYS, 0, &old);
	printf("%d\n", old.sa_handler == SIG_DFL);
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGSYS, &action, 0);
	sigaction(SIGSYS, 0, &old);
	printf("%d %x\n", old.sa_sigaction == handler, old.sa_flags & SA_SIGINFO);
	raise(SIGSYS);
	action.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &action, 0);
	sigaction(SIGUSR1, 0, &old);
	printf("%d %x\n", old.sa_sigaction == handler, old.sa_flags);
	raise(SIGUSR1);
	sigaction(SIGUSR1, 0, &old);
	printf("%d\n", old.sa_handler == SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, 0);
	long ppid;
	__asm__ volatile("syscall" : "=a"(ppid) : "0"(SYS_getppid) : "rcx", "r11", "memory");
	printf("%d\n", ppid == getppid());
	printf("%d\n", sigaction(0, 0, &old) == -1 && errno == EINVAL);
	fflush(stdout);
	execl("/bin/sh", "sh", "-c", "echo exec; (echo sub)", (char *)0);
	return 1;
}
