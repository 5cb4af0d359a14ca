/*
 * What librumphijack.so exports: names of NetBSD's C library, as rumphijack(3) says.
 * Types are NetBSD 9's, but struct stat and O_ flags, which are the platform's.
 */
#ifndef RUMPHIJACK_H
#define RUMPHIJACK_H

#include <stddef.h>
#include <stdint.h>

struct stat;

/* statvfs(5) */
struct netbsd_statvfs {
	uint64_t f_flag, f_bsize, f_frsize, f_iosize;
	uint64_t f_blocks, f_bfree, f_bavail, f_bresvd;
	uint64_t f_files, f_ffree, f_favail, f_fresvd;
	uint64_t f_syncreads, f_syncwrites, f_asyncreads, f_asyncwrites;
	struct { int32_t val[2]; } f_fsidx;
	uint64_t f_fsid, f_namemax;
	uint32_t f_owner, f_spare[4];
	char f_fstypename[32], f_mntonname[1024], f_mntfromname[1024];
};

int getvfsstat(struct netbsd_statvfs *buf, size_t bufsize, int flags);
int getmntinfo(struct netbsd_statvfs **mntbufp, int flags);
int getfh(const char *path, void *fhp, size_t *fh_size);
int fhopen(const void *fhp, size_t fh_size, int flags);
int fhstat(const void *fhp, size_t fh_size, struct stat *sb);
int fhstatvfs1(const void *fhp, size_t fh_size, struct netbsd_statvfs *buf, int flags);
int sysctl(const int *name, unsigned int namelen, void *oldp, size_t *oldlenp, const void *newp, size_t newlen);
int __sysctl(const int *name, unsigned int namelen, void *oldp, size_t *oldlenp, const void *newp, size_t newlen);
int sysctlbyname(const char *sname, void *oldp, size_t *oldlenp, const void *newp, size_t newlen);

#endif
