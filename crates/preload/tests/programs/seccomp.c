/* A sandbox: after it, read, write and exit are all that the program may do. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <ucontext.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void handler(int signal, siginfo_t *info, void *context)
{
	char line[96];
	/* The handlers of sandboxes (Chromium's, Firefox's) end the process otherwise. */
	int here = (long long)info->si_call_addr == ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	int len = snprintf(line, sizeof(line), "signal %d, code %d, call %d, here %d\n", signal, info->si_code,
		info->si_syscall, here);
	write(1, line, len);
}

int main(int argc, char **argv)
{
	unsigned otherwise = SECCOMP_RET_ERRNO | EPERM;
	if (argc > 1 && strcmp(argv[1], "kill") == 0)
		otherwise = SECCOMP_RET_KILL_PROCESS;
	if (argc > 1 && strcmp(argv[1], "trap") == 0)
		otherwise = SECCOMP_RET_TRAP;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_exit_group), ALLOW(SYS_rt_sigreturn),
		BPF_STMT(BPF_RET | BPF_K, otherwise),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };
	struct sock_fprog bad = { 1, (struct sock_filter *)16 };
	if (argc > 2) {
		struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
		sigaction(SIGSYS, &action, 0);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	printf("%d %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &bad), errno);
	printf("%ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 99, &program), errno);
	fflush(stdout);
	int both = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	char line[64];
	int len = snprintf(line, sizeof(line), "%d\n", both);
	write(1, line, len);
	long parent = syscall(SYS_getppid);
	len = snprintf(line, sizeof(line), "%ld %d\n", parent < 0 ? parent : 0L, errno);
	write(1, line, len);
	_exit(3);
}
