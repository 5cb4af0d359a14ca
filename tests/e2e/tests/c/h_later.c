/* Code that comes to a process after its start, or is its own, and makes calls without the C library. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long own_call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

typedef long call_function(long, long, long, long);

/* A socket's life by such calls. */
static void sockets(call_function *call)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(name);
	char got[8] = "";
	long in = call(SYS_socket, AF_INET, SOCK_DGRAM, 0), out = call(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	printf("%ld ", call(SYS_bind, in, (long)&name, length));
	printf("%ld ", call(SYS_getsockname, in, (long)&name, (long)&length));
	printf("%ld ", call(SYS_connect, out, (long)&name, length));
	printf("%ld ", call(SYS_write, out, (long)"plug", 4));
	printf("%ld %s ", call(SYS_read, in, (long)got, sizeof(got)), got);
	printf("%ld %ld %ld\n", call(SYS_close, in, 0, 0), call(SYS_close, out, 0, 0), call(SYS_close, out, 0, 0));
}

static int use(const char *path, int count, int alone)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin) {
		puts(dlerror());
		exit(1);
	}
	long (*getppid_of)(void) = (long (*)(void))dlsym(plugin, "plug_getppid");
	int (*registers)(long) = (int (*)(long))dlsym(plugin, "plug_registers");
	int wrong = 0;
	for (int i = 0; i < count; i++)
		wrong += getppid_of() != getppid();
	for (int i = 0; i < count / 10; i++)
		wrong += registers(-1);
	int held = socket(AF_INET, SOCK_DGRAM, 0);
	wrong += registers(held);
	/* Another thread may have got the number meanwhile. */
	wrong += alone && fcntl(held, F_GETFD) != -1;
	dlclose(plugin);
	return wrong;
}

static void plugin(const char *path)
{
	void *held = dlopen(path, RTLD_NOW);
	sockets((call_function *)dlsym(held, "plug_call"));
	long (*relocated)(void) = (long (*)(void))dlsym(held, "plug_relocated");
	if (relocated)
		printf("relocated %d\n", relocated() == getpid());
	dlclose(held);
	printf("%d wrong\n", use(path, 20000, 1));
}

static void *in_thread(void *path)
{
	long wrong = 0;
	for (int i = 0; i < 40; i++)
		wrong += use(path, 100, 0);
	return (void *)wrong;
}

/* Each thread brings in its own copy of the file, and puts it out again, all the time. */
static void threads(const char *path)
{
	enum { COUNT = 6 };
	pthread_t all[COUNT];
	char copies[COUNT][64];
	for (int i = 0; i < COUNT; i++) {
		char command[256];
		snprintf(copies[i], sizeof(copies[i]), "./copy%d.so", i);
		snprintf(command, sizeof(command), "cp '%s' %s", path, copies[i]);
		if (system(command))
			exit(1);
		pthread_create(&all[i], NULL, in_thread, copies[i]);
	}
	for (int i = 0; i < COUNT; i++) {
		void *wrong;
		pthread_join(all[i], &wrong);
		printf("%ld wrong\n", (long)wrong);
	}
}

/* A loader that is not ld.so: maps the code as code, makes it writable, changes a number in it, and makes it code again. */
static void loader(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW);
	Dl_info info;
	dladdr(dlsym(plugin, "plug_close"), &info);
	uint64_t address = (char *)info.dli_saddr - (char *)info.dli_fbase;
	dlclose(plugin);
	int fd = open(path, O_RDONLY);
	struct stat stat;
	fstat(fd, &stat);
	char *file = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	Elf64_Ehdr *header = (Elf64_Ehdr *)file;
	Elf64_Phdr *segments = (Elf64_Phdr *)(file + header->e_phoff);
	for (int i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type != PT_LOAD || !(segments[i].p_flags & PF_X))
			continue;
		uint64_t length = (segments[i].p_filesz + 4095) & ~4095UL;
		char *code = mmap(NULL, length, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, segments[i].p_offset & ~4095UL);
		char *site = code + (address - (segments[i].p_vaddr & ~4095UL));
		long (*number)(void) = (long (*)(void))site;
		long before;
		__asm__ volatile("call *%1" : "=a"(before) : "r"(number), "D"(-1L) : "rcx", "r11", "memory");
		mprotect(code, length, PROT_READ | PROT_WRITE);
		int32_t wanted = SYS_getpid;
		printf("%d ", memcmp(site, "\xb8\x03\0\0\0\x0f\x05", 7));
		memcpy(site + 1, &wanted, 4);
		mprotect(code, length, PROT_READ | PROT_EXEC);
		printf("%ld %d ", before, number() == getpid());
		munmap(code, length);
		/* The same once more, with something else in its place at once. */
		code = mmap(code, length, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, segments[i].p_offset & ~4095UL);
		__asm__ volatile("call *%1" : "=a"(before) : "r"(number), "D"(-1L) : "rcx", "r11", "memory");
		char *over = mmap(code, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
		printf("%ld %d\n", before, over == code && !*over);
	}
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "plugin"))
		plugin(argv[2]);
	else if (argc > 2 && !strcmp(argv[1], "threads"))
		threads(argv[2]);
	else if (argc > 2 && !strcmp(argv[1], "loader"))
		loader(argv[2]);
	else {
		long wrong = 0;
		for (int i = 0; i < 20000; i++)
			wrong += own_call(SYS_getppid, 0, 0, 0) != getppid();
		sockets(own_call);
		printf("%ld wrong\n", wrong);
	}
	return 0;
}
