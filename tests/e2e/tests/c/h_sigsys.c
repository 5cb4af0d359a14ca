/* A handler for the SIGSYS of seccomp(2), as sandboxes have one: it makes the call in another way and answers it. Prints what it finds,
 * the same natively and hijacked. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SMALL (16 << 10)
#define MUCH (64 << 10)
#define THREADS 8
#define TURNS 200
#define ANSWER 4242
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

/* The call getppid(2) by an instruction of its own, with a pattern in each register that it has to leave alone and in the red zone.
 * Answers what the call does, or -1 if something has changed. */
long kept(void);
__asm__(".text\nkept:\n"
	"push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
	".irp r, rbx,rbp,r12,r13,r14,r15,rdi,rsi,rdx,r10,r8,r9\nlea kept(%rip), %\\r\n.endr\n"
	"mov $0x5a5a, %eax\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nmovq %rax, %xmm\\n\n.endr\n"
	"movq %rax, -8(%rsp)\nmovq %rax, -64(%rsp)\nmovq %rax, -128(%rsp)\n"
	"mov $110, %eax\nsyscall\n"
	"lea kept(%rip), %rcx\n"
	".irp r, rbx,rbp,r12,r13,r14,r15,rdi,rsi,rdx,r10,r8,r9\ncmp %rcx, %\\r\njne 1f\n.endr\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nmovq %xmm\\n, %rcx\ncmp $0x5a5a, %ecx\njne 1f\n.endr\n"
	"cmpq $0x5a5a, -64(%rsp)\njne 1f\ncmpq $0x5a5a, -128(%rsp)\njne 1f\n"
	"2:\npop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n"
	"1:\nmov $-1, %rax\njmp 2b\n");

static __thread char *alternate;
static __thread struct {
	int depth, on_alternate, where, deepest, disarmed, mask;
} seen;
static sigjmp_buf out;
static volatile int jump, other_call;
static struct sockaddr_in server;

static void use_much(void)
{
	volatile char deep[MUCH];
	for (size_t i = 0; i < sizeof deep; i += 512)
		deep[i] = (char)i;
}

static int is_on(const void *at)
{
	return alternate && (const char *)at >= alternate && (const char *)at < alternate + SMALL;
}

/* A connection: calls that wait, made inside the handler. */
static void talk(void)
{
	int client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(client, (void *)&server, sizeof server))
		perror("connect");
	close(client);
}

static void on_sigsys(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;
	const unsigned char *rip = (void *)regs[REG_RIP];
	stack_t now;
	sigset_t mask;

	seen.depth++;
	if (seen.depth > seen.deepest)
		seen.deepest = seen.depth;
	seen.on_alternate = is_on(&now);
	seen.where = number == SIGSYS && info->si_code == 1 && info->si_call_addr == rip && rip[-2] == 0x0f && rip[-1] == 0x05 &&
		     uc->uc_stack.ss_sp == alternate;
	sigaltstack(0, &now);
	seen.disarmed = now.ss_flags & SS_DISABLE;
	pthread_sigmask(0, 0, &mask);
	seen.mask = sigismember(&mask, SIGUSR2) + 2 * sigismember(&mask, SIGUSR1);
	if (!seen.on_alternate)
		use_much();
	if (seen.depth < 3 && !seen.on_alternate && syscall(SYS_getppid) != ANSWER)
		puts("nested: wrong");
	talk();
	seen.depth--;
	if (jump)
		siglongjmp(out, 1);
	if (info->si_code != 1)
		return;
	if (other_call) {
		regs[REG_RIP] -= 2;
		regs[REG_RAX] = SYS_getpid;
	} else if (info->si_syscall == SYS_open) {
		regs[REG_RAX] = openat(AT_FDCWD, (char *)regs[REG_RDI], regs[REG_RSI]);
	} else {
		regs[REG_RAX] = ANSWER;
	}
}

static void handle(int number, void *handler, int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(number, &action, 0);
}

static void small_stack(unsigned flags)
{
	alternate = alternate ? alternate : malloc(SMALL);
	stack_t stack = { .ss_sp = alternate, .ss_size = SMALL, .ss_flags = flags };
	if (sigaltstack(&stack, 0))
		perror("sigaltstack");
}

static void trap_calls(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof steps / sizeof *steps, steps };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		perror("seccomp");
}

static int listen_somewhere(void)
{
	socklen_t size = sizeof server;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bind(listener, (void *)&server, sizeof server);
	listen(listener, 4096);
	getsockname(listener, (void *)&server, &size);
	return listener;
}

static void calls(const char *what)
{
	sigset_t before, after;
	long library, own, file;

	seen.deepest = 0;
	pthread_sigmask(0, 0, &before);
	library = syscall(SYS_getppid);
	printf("%s: %ld, alternate %d, where %d, disarmed %d, mask %d\n", what, library, seen.on_alternate, seen.where,
	       seen.disarmed, seen.mask);
	own = kept();
	printf("%s: %ld, alternate %d, where %d, depth %d\n", what, own, seen.on_alternate, seen.where, seen.deepest);
	file = syscall(SYS_open, "/dev/null", O_RDONLY);
	printf("%s: open %d\n", what, file >= 0);
	close(file);
	pthread_sigmask(0, 0, &after);
	printf("%s: mask %d\n", what, memcmp(&before, &after, 8));
}

static void ways_back(void)
{
	stack_t now;

	small_stack(SS_AUTODISARM);
	calls("autodisarm");
	sigaltstack(0, &now);
	printf("armed again: %d\n", !(now.ss_flags & SS_DISABLE) && now.ss_sp == alternate);
	small_stack(0);
	jump = 1;
	if (!sigsetjmp(out, 1))
		syscall(SYS_getppid);
	jump = 0;
	printf("jumped out\n");
	other_call = 1;
	printf("made as another call: %d", syscall(SYS_getppid) == getpid());
	printf(" %d\n", kept() == getpid());
	other_call = 0;
}

static void *interrupt(void *thread)
{
	usleep(30000);
	pthread_kill(*(pthread_t *)thread, SIGSYS);
	return 0;
}

static void sent(int listener)
{
	pthread_t self = pthread_self(), other;
	struct sigaction now;
	int client = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	connect(client, (void *)&server, sizeof server);
	handle(SIGSYS, on_sigsys, SA_NODEFER | SA_RESETHAND);
	pthread_create(&other, 0, interrupt, &self);
	errno = 0;
	long got = recv(client, &byte, 1, 0);
	pthread_join(other, 0);
	sigaction(SIGSYS, 0, &now);
	printf("sent: %ld %s, alternate %d, reset %d\n", got, strerror(errno), seen.on_alternate, now.sa_handler == SIG_DFL);
	close(client);
	close(listener);
}

static void ends(void *action, const char *what, int by_kill)
{
	int status;
	fflush(stdout);
	if (fork() == 0) {
		signal(SIGSYS, action);
		if (by_kill)
			raise(SIGSYS);
		else
			syscall(SYS_getppid);
		_exit(3);
	}
	wait(&status);
	printf("%s: signal %d, exit %d\n", what, WTERMSIG(status), WEXITSTATUS(status));
}

static volatile int storm_on_stack = 1;

static void on_storm(int number)
{
	char here;
	if (!is_on(&here))
		storm_on_stack = 0;
}

static void *thread(void *unused)
{
	long wrong = 0;
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec often = { { 0, 700000 }, { 0, 700000 } };

	small_stack(0);
	event._sigev_un._tid = gettid();
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, 0);
	for (int turn = 0; turn < TURNS; turn++) {
		wrong += syscall(SYS_getppid) != ANSWER || seen.on_alternate || !seen.where;
		wrong += kept() != ANSWER || seen.on_alternate || !seen.where;
	}
	timer_delete(timer);
	return (void *)wrong;
}

static void threads(void)
{
	pthread_t all[THREADS];
	long wrong = 0;
	void *one;

	handle(SIGUSR1, on_storm, SA_ONSTACK | SA_RESTART);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&all[i], 0, thread, 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(all[i], &one);
		wrong += (long)one;
	}
	printf("threads: %ld wrong, storm on its stack %d\n", wrong, storm_on_stack);
}

static void *accept_all(void *listener)
{
	int one;
	while ((one = accept(*(int *)listener, 0, 0)) >= 0)
		close(one);
	return 0;
}

/* How a process in strict mode ends. */
static void strict(void)
{
	fflush(stdout);
	for (int what = 0; what < 3; what++) {
		int status, child = fork();

		if (!child) {
			prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
			if (what == 1)
				write(1, "still writes\n", 13);
			if (what == 2)
				getppid();
			syscall(SYS_exit, 7);
		}
		waitpid(child, &status, 0);
		printf("strict: %x\n", status);
	}
}

int main(int argc, char **argv)
{
	pthread_t acceptor;
	int listener = listen_somewhere();

	if (argc < 2)
		strict();
	trap_calls();
	if (argc > 1 && !strcmp(argv[1], "threads")) {
		pthread_create(&acceptor, 0, accept_all, &listener);
		handle(SIGSYS, on_sigsys, SA_NODEFER);
		threads();
		return 0;
	}
	handle(SIGSYS, on_sigsys, SA_NODEFER);
	calls("no alternate stack");
	small_stack(0);
	calls("not on it");
	handle(SIGSYS, on_sigsys, SA_NODEFER | SA_ONSTACK);
	calls("on it");
	handle(SIGSYS, on_sigsys, SA_NODEFER);
	ways_back();
	sent(listener);
	ends(SIG_DFL, "default", 0);
	ends(SIG_IGN, "ignored", 0);
	ends(SIG_IGN, "ignored and sent", 1);
	return 0;
}
