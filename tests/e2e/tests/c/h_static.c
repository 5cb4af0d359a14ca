/* What a statically linked program needs of whoever loads it: its stack, its auxiliary vector, thread-local storage,
 * brk, signals, threads and children. Argument: a directory for files. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static __thread int own = 5;
static int in_bss[100000];
static volatile sig_atomic_t alarms;
extern char **environ;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void *serve(void *arg)
{
	int listener = *(int *)arg;
	own++;
	for (int i = 0; i < 20; i++) {
		int one = accept(listener, 0, 0);
		write(one, "hello", 5);
		close(one);
	}
	return (void *)(long)own;
}

static void talk(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0), bytes = 0;
	pthread_t thread;
	void *answer;
	char text[8];
	bind(listener, (void *)&at, sizeof at);
	listen(listener, 5);
	getsockname(listener, (void *)&at, &size);
	pthread_create(&thread, 0, serve, &listener);
	for (int i = 0; i < 20; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(client, (void *)&at, sizeof at))
			perror("connect");
		bytes += read(client, text, sizeof text);
		close(client);
	}
	pthread_join(thread, &answer);
	printf("talked %d, own %d %ld\n", bytes, own, (long)answer);
}

static void children(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(own + 1);
	waitpid(pid, &status, 0);
	printf("fork %d\n", WEXITSTATUS(status));
	pid = vfork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "exit 9", (char *)0);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	printf("vfork %d\n", WEXITSTATUS(status));
	char *argv[] = { "sh", "-c", "echo \"child sees $(cat file)\"", 0 };
	if (posix_spawnp(&pid, "sh", 0, 0, argv, environ))
		perror("posix_spawnp");
	waitpid(pid, &status, 0);
	fflush(stdout);
	printf("spawn %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	char link[4096] = "", *file = strrchr(argv[0], '/');
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	ssize_t length = readlink("/proc/self/exe", link, sizeof link - 1);
	FILE *written;
	setvbuf(stdout, 0, _IONBF, 0);
	printf("%d %s\n", argc, argv[argc - 1] + strlen(argv[argc - 1]));
	printf("exe %d, execfn %d\n", length > 0 && !strcmp(strrchr(link, '/'), file),
		!strcmp((char *)getauxval(AT_EXECFN), argv[0]));
	printf("page %ld, uid %d, random %d, vdso %d\n", getauxval(AT_PAGESZ), getauxval(AT_UID) == getuid(),
		getauxval(AT_RANDOM) != 0, getauxval(AT_SYSINFO_EHDR) != 0);
	for (size_t i = 0; i < sizeof in_bss / sizeof *in_bss; i++)
		if (in_bss[i]++)
			printf("bss is not zero\n");
	/* musl has no sbrk. */
	char *heap = (char *)syscall(SYS_brk, 0), *end = (char *)syscall(SYS_brk, heap + (1 << 20));
	memset(heap, 1, end - heap);
	printf("brk %ld\n", (long)(end - heap));
	if (chdir(argv[1]))
		perror(argv[1]);
	written = fopen("file", "w");
	fprintf(written, "what was written");
	fclose(written);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, 0);
	talk();
	children();
	setitimer(ITIMER_REAL, &never, 0);
	printf("alarms %d\n", alarms > 0);
	return 3;
}
