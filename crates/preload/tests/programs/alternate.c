// Two signals at about the same time, thousands of times: none is lost, and each handler returns to where it came from. With an
// alternate stack a signal may come while a call of another's handler is being looked at.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 2000, SIZE = 64 * 1024 };

static volatile sig_atomic_t user, alarms, wrong;
static char *area;

static void handler(int signal)
{
	int before = errno;
	struct stat status;
	stack_t stack;
	char here;
	if (area)
		wrong += &here < area || &here >= area + SIZE;
	if (sigaltstack(NULL, &stack) || (area ? stack.ss_sp != area || !(stack.ss_flags & SS_ONSTACK) : stack.ss_flags != SS_DISABLE))
		wrong++;
	for (int turn = 0; turn < 3; turn++)
		wrong += stat("/etc/passwd", &status) != 0;
	if (signal == SIGUSR1)
		user++;
	else
		alarms++;
	errno = before;
}

static void rounds(const char *what)
{
	user = alarms = 0;
	for (int round = 1; round <= ROUNDS; round++) {
		struct itimerval soon = { .it_value.tv_usec = 1 + random() % 20 };
		setitimer(ITIMER_REAL, &soon, NULL);
		kill(getpid(), SIGUSR1);
		for (int turn = 0; (user < round || alarms < round) && turn < 50000; turn++)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		if (user != round || alarms != round) {
			printf("%s: lost in round %d: %d and %d\n", what, round, user, alarms);
			exit(1);
		}
	}
	printf("%s: %d rounds, %d wrong\n", what, ROUNDS, wrong);
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	rounds("on the program's stack");
	stack_t stack = { .ss_sp = area = malloc(SIZE), .ss_size = SIZE };
	printf("%d\n", sigaltstack(&stack, NULL));
	rounds("on an alternate stack");
	/* What a wait alone lets in comes during the wait, both at once. */
	sigset_t both, none;
	sigemptyset(&both);
	sigemptyset(&none);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGALRM);
	sigprocmask(SIG_BLOCK, &both, NULL);
	user = alarms = 0;
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGALRM);
	int suspended = sigsuspend(&none);
	printf("sigsuspend: %d %d, %d and %d\n", suspended, errno == EINTR, user, alarms);
	sigset_t after;
	sigprocmask(SIG_SETMASK, NULL, &after);
	printf("blocked: %d %d\n", sigismember(&after, SIGUSR1), sigismember(&after, SIGALRM));
	return 0;
}
