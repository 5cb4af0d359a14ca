/* Code that a program makes itself, in each of the ways in which memory becomes code: its calls are the program's, too. The second
 * argument names the way, and each way is a process of its own, since the first such memory is what matters. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096

/* mov $41, %eax (socket); syscall; ret. One byte is put in later, lest the program's own code be thought to hold it. */
static unsigned char CODE[] = { 0xb8, 41, 0, 0, 0, 0, 0x05, 0xc3 };
/* mov $20, %eax (getpid, as 32-bit programs call it); int $0x80; ret */
static unsigned char INT_80[] = { 0xb8, 20, 0, 0, 0, 0, 0x80, 0xc3 };

typedef int made(int, int, int);

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(int protection, int flags, int fd)
{
	void *at = mmap(NULL, SIZE, protection, flags, fd, 0);
	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

static void *anonymous(void)
{
	void *at = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	return memcpy(at, CODE, sizeof(CODE));
}

static void *protected(void)
{
	void *at = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memcpy(at, CODE, sizeof(CODE));
	if (mprotect(at, SIZE, PROT_READ | PROT_EXEC))
		fail("mprotect");
	return at;
}

static int file(void)
{
	int fd = memfd_create("code", 0);
	if (fd < 0 || ftruncate(fd, SIZE) || pwrite(fd, CODE, sizeof(CODE), 0) != sizeof(CODE))
		fail("memfd");
	return fd;
}

static void *shared(void)
{
	return map(PROT_READ | PROT_EXEC, MAP_SHARED, file());
}

/* Mapped as ld.so maps libraries, but no ELF file. */
static void *private(void)
{
	return map(PROT_READ | PROT_EXEC, MAP_PRIVATE, file());
}

/* Over memory that is there, without reading. */
static void *fixed(void)
{
	void *at = map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (mmap(at, SIZE, PROT_EXEC, MAP_SHARED | MAP_FIXED, file(), 0) != at)
		fail("mmap");
	return at;
}

static void *segment(void)
{
	int id = shmget(IPC_PRIVATE, SIZE, 0700);
	char *at = shmat(id, NULL, 0);
	if (at == (char *)-1)
		fail("shmat");
	memcpy(at, CODE, sizeof(CODE));
	at = shmat(id, NULL, SHM_RDONLY | SHM_EXEC);
	shmctl(id, IPC_RMID, NULL);
	return at;
}

static void *personal(void)
{
	int before = personality(0xffffffff);
	if (before < 0 || personality((unsigned)before | READ_IMPLIES_EXEC) < 0)
		fail("personality");
	void *at = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	return memcpy(at, CODE, sizeof(CODE));
}

/* By a child of vfork(2), which has the same memory. */
static void *by_child(void)
{
	static void *volatile at;
	if (vfork() == 0) {
		at = anonymous();
		_exit(0);
	}
	return at;
}

static int type_of(int fd)
{
	int type = 0;
	socklen_t length = sizeof(type);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	return type;
}

/* One socket by the code, that the C library's calls know, too. */
static int use(made *code)
{
	int fd = code(AF_INET, SOCK_DGRAM, 0);
	int good = fd >= 0 && type_of(fd) == SOCK_DGRAM;
	close(fd);
	return good;
}

static void *in_thread(void *code)
{
	return (void *)(intptr_t)use((made *)code);
}

static const struct {
	const char *name;
	void *(*make)(void);
} WAYS[] = {
	{ "anonymous", anonymous }, { "protected", protected }, { "shared", shared },     { "private", private }, { "fixed", fixed },
	{ "segment", segment },     { "personal", personal },   { "by_child", by_child },
};

static void *way(const char *name)
{
	for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++)
		if (!strcmp(WAYS[i].name, name))
			return WAYS[i].make();
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	volatile unsigned char *first = &CODE[5], *second = &INT_80[5];
	*first = 0x0f;
	*second = 0xcd;
	void *code = way(argv[1]), *result = NULL;
	pthread_t thread;
	int status = 0, alone = use((made *)code);
	pid_t child = fork();
	if (child == 0)
		_exit(use((made *)code) ? 0 : 1);
	waitpid(child, &status, 0);
	pthread_create(&thread, NULL, in_thread, code);
	pthread_join(thread, &result);
	printf("%s: alone %d, in a child %d, in a thread %d\n", argv[1], alone, status == 0, result != NULL);
	void *at = anonymous();
	memcpy(at, INT_80, sizeof(INT_80));
	if (argc > 2)
		printf("int $0x80: %d\n", ((int (*)(void))at)());
	return 0;
}
