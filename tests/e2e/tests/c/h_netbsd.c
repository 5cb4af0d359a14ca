/* The names of NetBSD's C library that librumphijack.so exports, in their NetBSD forms. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../../crates/preload/include/rumphijack.h"

_Static_assert(sizeof(struct netbsd_statvfs) == 2256, "statvfs");

#define CHECK(what) do { if (!(what)) { printf("line %d: %s (errno %d)\n", __LINE__, #what, errno); exit(1); } } while (0)

static void mounts(void)
{
	struct netbsd_statvfs *list, *buf;
	int n = getvfsstat(NULL, 0, 0);

	CHECK(n == 3);
	buf = calloc(n, sizeof(*buf));
	CHECK(getvfsstat(buf, n * sizeof(*buf), 0) == n);
	CHECK(strcmp(buf[0].f_mntonname, "/rump") == 0 && strcmp(buf[0].f_fstypename, "tmpfs") == 0);
	CHECK(buf[0].f_blocks * buf[0].f_frsize == 1 << 30 && buf[0].f_namemax == 255 && buf[0].f_flag == 0);
	CHECK(strcmp(buf[1].f_mntonname, "/rump/proc") == 0 && buf[1].f_flag == (8 | 0x10 | 4));
	CHECK(strcmp(buf[2].f_mntonname, "/rump/sys") == 0 && strcmp(buf[2].f_fstypename, "sysfs") == 0);
	CHECK(getvfsstat(buf, sizeof(*buf), 0) == 1);
	CHECK(getmntinfo(&list, 0) == n && memcmp(&list[0], &buf[0], 172) == 0);
	CHECK(strcmp(list[1].f_mntfromname, "proc") == 0);
}

static void handles(void)
{
	struct netbsd_statvfs vfs;
	struct stat by_path, by_handle;
	char handle[132], text[8] = "";
	size_t size = 0;
	int fd = open("/rump/tmp/f", O_CREAT | O_WRONLY, 0600);

	CHECK(write(fd, "bytes", 5) == 5);
	close(fd);
	CHECK(getfh("/rump/tmp/f", NULL, &size) == -1 && errno == E2BIG && size > 4 && size <= sizeof(handle));
	CHECK(getfh("/rump/tmp/f", handle, &size) == 0);
	CHECK(stat("/rump/tmp/f", &by_path) == 0 && fhstat(handle, size, &by_handle) == 0);
	CHECK(by_path.st_ino == by_handle.st_ino && by_handle.st_size == 5);
	fd = fhopen(handle, size, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 5 && strcmp(text, "bytes") == 0);
	close(fd);
	CHECK(fhstatvfs1(handle, size, &vfs, 0) == 0 && strcmp(vfs.f_mntonname, "/rump") == 0);
	CHECK(unlink("/rump/tmp/f") == 0);
	CHECK(fhopen(handle, size, O_RDONLY) == -1 && errno == ESTALE);
	CHECK(fhopen(handle, 2, O_RDONLY) == -1 && errno == EINVAL);
	CHECK(getfh("/rump/none", handle, &size) == -1 && errno == ENOENT);
}

static void sysctls(void)
{
	int ttl = 0, name[] = { 4, 2, 0, 3 }, hostname[] = { 1, 10 }, other = 33, range[2];
	char text[64];
	size_t size = sizeof(ttl);

	CHECK(sysctl(name, 4, &ttl, &size, NULL, 0) == 0 && size == sizeof(ttl) && ttl == 64);
	CHECK(sysctlbyname("net.inet.ip.ttl", &ttl, &size, &other, sizeof(other)) == 0 && ttl == 64);
	CHECK(__sysctl(name, 4, &ttl, &size, NULL, 0) == 0 && ttl == 33);
	other = 256;
	CHECK(sysctl(name, 4, NULL, NULL, &other, sizeof(other)) == -1 && errno == EINVAL);
	CHECK(sysctlbyname("kern.hostname", NULL, &size, NULL, 0) == 0 && size == 5);
	size = 3;
	CHECK(sysctlbyname("kern.hostname", text, &size, "x", 1) == -1 && errno == ENOMEM && memcmp(text, "rum", 3) == 0);
	size = sizeof(text);
	CHECK(sysctl(hostname, 2, text, &size, "renamed", 8) == 0 && strcmp(text, "rump") == 0 && size == 5);
	size = sizeof(text);
	CHECK(sysctlbyname("kernel.hostname", text, &size, NULL, 0) == 0 && strcmp(text, "renamed") == 0);
	size = sizeof(range);
	CHECK(sysctlbyname("net.ipv4.ip_local_port_range", range, &size, NULL, 0) == 0 && size == 8 && range[0] == 32768);
	CHECK(sysctlbyname("kern.none", text, &size, NULL, 0) == -1 && errno == ENOENT);
	CHECK(sysctlbyname("kern.ostype", NULL, NULL, "x", 2) == -1 && errno == EPERM);
}

int main(void)
{
	mounts();
	handles();
	sysctls();
	puts("ok");
	return 0;
}
