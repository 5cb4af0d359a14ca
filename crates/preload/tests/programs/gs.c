/* %gs is the program's: what it points to, and where, is the same behind each call, in handlers, threads and children. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE 8192

static void set(void *base) { __asm__ volatile("wrgsbase %0" ::"r"(base)); }

static char *get(void)
{
	char *base;
	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void check(char *base, const char *where)
{
	if (get() != base) {
		set(0);
		dprintf(2, "%s: another base\n", where);
		_exit(1);
	}
	for (int i = 0; i < SIZE; i++)
		if (base[i] != 'x') {
			dprintf(2, "%s: written at %d\n", where, i);
			_exit(1);
		}
}

/* Not in libc: it is trapped, or a site in the program's own text. */
static long own_call(long number)
{
	long answer;
	__asm__ volatile("syscall" : "=a"(answer) : "a"(number) : "rcx", "r11", "memory");
	return answer;
}

static __thread char *mine;
static volatile int handled;

static void on_signal(int signo)
{
	(void)signo;
	handled++;
	if (mine) {
		check(mine, "handler");
		getppid();
		own_call(SYS_getppid);
		check(mine, "handler, behind a call");
	}
}

static char *make(void)
{
	char *base = malloc(SIZE);
	memset(base, 'x', SIZE);
	return base;
}

static void *work(void *rounds)
{
	mine = make();
	set(mine);
	for (long i = 0; i < (long)rounds; i++) {
		getppid();
		check(mine, "libc's call");
		own_call(SYS_getppid);
		check(mine, "own call");
		sigset_t mask;
		sigemptyset(&mask);
		sigprocmask(SIG_SETMASK, &mask, 0);
		check(mine, "sigprocmask");
		if (i % 64 == 0) {
			struct timespec pause = {0, 50000};
			nanosleep(&pause, 0);
			check(mine, "nanosleep");
		}
	}
	char *was = mine;
	mine = 0;
	set(0);
	free(was);
	return 0;
}

static void *inherits(void *base)
{
	check(base, "a new thread");
	return 0;
}

int main(void)
{
	if (!(getauxval(AT_HWCAP2) & 2)) {
		puts("good");
		return 0;
	}
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &action, 0);
	struct itimerval every = {{0, 300}, {0, 300}};
	setitimer(ITIMER_REAL, &every, 0);
	pthread_t threads[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], 0, work, (void *)1500);
	work((void *)1500);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], 0);

	char *base = make();
	set(base);
	pthread_t thread;
	pthread_create(&thread, 0, inherits, base);
	pthread_join(thread, 0);
	check(base, "pthread_create");
	pid_t child = fork();
	check(base, "fork");
	if (child == 0) {
		getppid();
		check(base, "a child");
		_exit(0);
	}
	int status = 1;
	while (waitpid(child, &status, 0) < 0)
		;
	child = vfork();
	if (child == 0) {
		execl("/bin/true", "true", (char *)0);
		_exit(1);
	}
	check(base, "vfork");
	int second = 1;
	while (waitpid(child, &second, 0) < 0)
		;
	unsigned long known = 0;
	syscall(SYS_arch_prctl, 0x1004, &known);
	printf("%d %d %d", status, second, (char *)known == base);
	char *other = make();
	long set_it = syscall(SYS_arch_prctl, 0x1001, other);
	check(other, "arch_prctl");
	printf(" %ld %d\n", set_it, handled > 0);
	return 0;
}
