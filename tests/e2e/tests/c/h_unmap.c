/* Paths in memory that goes away after it has been used: EFAULT, whichever way it went. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

static char *page(void)
{
	char *at = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(at, "/etc/passwd");
	return at;
}

static void used(const char *how, const char *path)
{
	struct stat info;
	int before = stat(path, &info);
	before |= access(path, R_OK);
	printf("%s %d ", how, before);
}

static void gone(const char *path)
{
	struct stat info;
	int after = stat(path, &info);
	printf("%d %d\n", after, errno);
}

int main(void)
{
	char *at;
	used("munmap", at = page());
	munmap(at, 4096);
	gone(at);
	used("mprotect", at = page());
	mprotect(at, 4096, PROT_NONE);
	gone(at);
	used("mmap", at = page());
	mmap(at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	gone(at);
	used("mremap", at = page());
	mremap(at, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page());
	gone(at);
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	strcpy(at = shmat(id, 0, 0), "/etc/passwd");
	shmctl(id, IPC_RMID, 0);
	used("shmdt", at);
	shmdt(at);
	gone(at);
	strcpy(at = sbrk(8192), "/etc/passwd");
	used("brk", at);
	sbrk(-8192);
	/* The page that the break lies in stays. */
	gone(at + 4096 - (long)at % 4096);
	for (int turn = 0; turn < 5000; turn++)
		munmap(page(), 8192);
	used("many", at = page());
	munmap(at, 8192);
	gone(at);
	return 0;
}
