/*
 * Clients of a rump kernel: rumpclient(3).
 */
#ifndef _RUMP_RUMPCLIENT_H_
#define _RUMP_RUMPCLIENT_H_

#include <stddef.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Connects to the kernel that RUMP_SERVER names. */
int rumpclient_init(void);

/* A system call by number: `sysarg` holds its arguments, 8 bytes each; its two values go to `retval`. Answers its error. */
int rumpclient_syscall(int num, const void *sysarg, size_t argsize, register_t *retval);

/* An announced fork. The first 16 bytes are the child's authentication. */
struct rumpclient_fork;
struct rumpclient_fork *rumpclient_prefork(void);
int rumpclient_fork_init(struct rumpclient_fork *rf);
void rumpclient_fork_cancel(struct rumpclient_fork *rf);

int rumpclient_exec(const char *path, char *const argv[], char *const envp[]);
int rumpclient_daemon(int nochdir, int noclose);

/* Instead of a number of seconds. */
#define RUMPCLIENT_RETRYCONN_INFTIME ((time_t)-1)
#define RUMPCLIENT_RETRYCONN_ONCE ((time_t)-2)
#define RUMPCLIENT_RETRYCONN_DIE ((time_t)-3)
void rumpclient_setconnretry(time_t timeout);

/* What the program is about to do to a descriptor of the host: the library moves its own out of the way. */
enum rumpclient_closevariant {
	RUMPCLIENT_CLOSE_CLOSE,
	RUMPCLIENT_CLOSE_DUP2,
	RUMPCLIENT_CLOSE_FCLOSEM
};
int rumpclient__closenotify(int *fdp, enum rumpclient_closevariant variant);

/* For the macros below: `child` has a session of its own, or is gone. Frees `rf`. */
void rumpclient__fork_done(struct rumpclient_fork *rf, pid_t child);

/*
 * fork(2) and vfork(2), whose child is a process of the rump kernel too. Macros, because the child of vfork(2) must not return from
 * the function that called it.
 */
#define rumpclient_fork() rumpclient__dofork(fork)
#define rumpclient_vfork() rumpclient__dofork(vfork)

#define rumpclient__dofork(rumpclient__how)                                                                            \
	__extension__({                                                                                                \
		struct rumpclient_fork *rumpclient__rf = rumpclient_prefork();                                         \
		pid_t rumpclient__pid = -1;                                                                            \
		if (rumpclient__rf != NULL) {                                                                          \
			rumpclient__pid = rumpclient__how();                                                           \
			if (rumpclient__pid == 0) {                                                                    \
				if (rumpclient_fork_init(rumpclient__rf) == -1)                                        \
					rumpclient__pid = -1;                                                          \
			} else if (rumpclient__pid == -1) {                                                            \
				rumpclient_fork_cancel(rumpclient__rf);                                                \
			} else {                                                                                       \
				rumpclient__fork_done(rumpclient__rf, rumpclient__pid);                                \
			}                                                                                              \
		}                                                                                                      \
		rumpclient__pid;                                                                                       \
	})

#ifdef __cplusplus
}
#endif

#endif /* _RUMP_RUMPCLIENT_H_ */
