/* What every file has, of sockets: locks, mode and owner, file system, attributes; and some options of the IP levels. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef IP_ORIGDSTADDR
#define IP_ORIGDSTADDR 20
#endif

static const char *told(long result)
{
	static char text[32];
	if (result != -1)
		snprintf(text, sizeof text, "%ld", result);
	return result == -1 ? strerrorname_np(errno) : text;
}

static void locks(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_END };
	printf("set %s\n", told(fcntl(fd, F_SETLK, &lock)));
	printf("flock %s\n", told(flock(fd, LOCK_EX)));
	fflush(stdout);
	if (fork() == 0) {
		printf("child: get %s", told(fcntl(fd, F_GETLK, &lock)));
		printf(", type %d, ours %d\n", lock.l_type, lock.l_pid == getppid());
		lock.l_type = F_WRLCK;
		printf("child: set %s\n", told(fcntl(fd, F_SETLK, &lock)));
		printf("child: flock of the same file %s\n", told(flock(fd, LOCK_EX | LOCK_NB)));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	lock.l_type = F_UNLCK;
	printf("unlock %s\n", told(fcntl(fd, F_SETLK, &lock)));
}

static void inode(int fd)
{
	struct stat stat;
	struct statfs fs;
	printf("chmod %s\n", told(fchmod(fd, 0640)));
	printf("chown %s\n", told(fchown(fd, getuid(), getgid())));
	printf("chown to root %s\n", getuid() ? told(fchown(fd, 0, 0)) : "EPERM");
	fstat(fd, &stat);
	printf("mode %o, ours %d %d\n", stat.st_mode, stat.st_uid == getuid(), stat.st_gid == getgid());
	printf("statfs %s", told(fstatfs(fd, &fs)));
	printf(", type %lx, block %ld, name %ld, flags %lx\n", (long)fs.f_type, (long)fs.f_bsize, (long)fs.f_namelen, (long)fs.f_flags);
	for (int mode = 0; mode < 10; mode++)
		printf("access %d: %s\n", mode, told(syscall(SYS_faccessat2, fd, "", mode, AT_EMPTY_PATH)));
	printf("chownat %s\n", told(fchownat(fd, "", -1, getgid(), AT_EMPTY_PATH)));
	printf("readlink %s\n", told(readlinkat(fd, "", (char *)&fs, sizeof fs)));
	for (int mode = 0600; mode <= 0700; mode += 0100) {
		fchmod(fd, mode);
		printf("exec %s\n", told(execveat(fd, "", (char *[]){ "x", NULL }, (char *[]){ NULL }, AT_EMPTY_PATH)));
	}
	printf("notify %s\n", told(fcntl(fd, F_NOTIFY, DN_CREATE)));
}

static void attributes(int fd)
{
	char names[256] = "", value[64] = "";
	/* Security modules may have more. */
	if (flistxattr(fd, names, sizeof names) > 0)
		printf("attribute %s\n", names);
	printf("value %s", told(fgetxattr(fd, names, value, sizeof value)));
	printf(", %s; size %s\n", value, told(fgetxattr(fd, names, NULL, 0)));
}

static void options(int fd, int family)
{
	int value = -1, off = 0, size = -1;
	socklen_t len = sizeof value;
	printf("header %s", told(getsockopt(fd, IPPROTO_IP, IP_HDRINCL, &value, &len)));
	printf(" %d\n", value);
	printf("to set it %s\n", told(setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &off, sizeof off)));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	len = sizeof value;
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len);
	printf("a negative size is a large one: %d\n", value > 100000);
	if (family != AF_INET6)
		return;
	const int headers[] = { IPV6_HOPOPTS, IPV6_DSTOPTS, IPV6_RTHDR, IPV6_RTHDRDSTOPTS };
	for (unsigned i = 0; i < sizeof headers / sizeof *headers; i++) {
		len = sizeof value;
		printf("header %d: %s", headers[i], told(getsockopt(fd, IPPROTO_IPV6, headers[i], &value, &len)));
		printf(" of %d\n", (int)len);
	}
}

/* Where a datagram was sent to. */
static void destination(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, *seen;
	socklen_t len = sizeof to;
	int on = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
	char data[8], space[128];
	struct iovec piece = { data, sizeof data };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	bind(fd, (struct sockaddr *)&to, sizeof to);
	getsockname(fd, (struct sockaddr *)&to, &len);
	setsockopt(fd, IPPROTO_IP, IP_ORIGDSTADDR, &on, sizeof on);
	sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
	printf("received %s", told(recvmsg(fd, &message, 0)));
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);
	if (!control) {
		printf(", without where to\n");
		return;
	}
	seen = (struct sockaddr_in *)CMSG_DATA(control);
	printf(", %d of %zu bytes, same %d\n", control->cmsg_type, control->cmsg_len,
	    seen->sin_port == to.sin_port && seen->sin_addr.s_addr == to.sin_addr.s_addr);
}

int main(void)
{
	const int families[] = { AF_INET, AF_INET6 }, kinds[] = { SOCK_STREAM, SOCK_DGRAM };
	for (int i = 0; i < 4; i++) {
		int fd = socket(families[i / 2], kinds[i % 2], 0);
		locks(fd);
		inode(fd);
		attributes(fd);
		options(fd, families[i / 2]);
		close(fd);
	}
	destination();
	return 0;
}
