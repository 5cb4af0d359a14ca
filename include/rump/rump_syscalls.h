/*
 * The system calls of a rump kernel: rumpclient(3).
 *
 * Generated from crates/abi/src/prototype.rs by `cargo xtask docs`; a check fails when it is stale. Structures and constants are
 * those of the system's own headers. Each function answers what the function of the C library without `rump_sys_` answers, -1 and
 * errno for errors, except rump_sys_getcwd: the length of the path with its NUL, as the system call.
 */
#ifndef _RUMP_RUMP_SYSCALLS_H_
#define _RUMP_RUMP_SYSCALLS_H_

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#ifdef __cplusplus
extern "C" {
#endif

struct file_handle;
struct mmsghdr;
struct open_how;
struct statfs;
struct statx;
struct utimbuf;

ssize_t rump_sys_read(int fd, void *buf, size_t count);
ssize_t rump_sys_write(int fd, const void *buf, size_t count);
int rump_sys_open(const char *path, int flags, ...);
int rump_sys_close(int fd);
int rump_sys_stat(const char *path, struct stat *buf);
int rump_sys_fstat(int fd, struct stat *buf);
int rump_sys_lstat(const char *path, struct stat *buf);
int rump_sys_poll(struct pollfd *fds, nfds_t nfds, int timeout);
off_t rump_sys_lseek(int fd, off_t offset, int whence);
int rump_sys_ioctl(int fd, unsigned long request, ...);
ssize_t rump_sys_pread64(int fd, void *buf, size_t count, off_t offset);
ssize_t rump_sys_pwrite64(int fd, const void *buf, size_t count, off_t offset);
ssize_t rump_sys_readv(int fd, const struct iovec *iov, int iovcnt);
ssize_t rump_sys_writev(int fd, const struct iovec *iov, int iovcnt);
int rump_sys_access(const char *path, int mode);
int rump_sys_pipe(int *fds);
int rump_sys_dup(int oldfd);
int rump_sys_dup2(int oldfd, int newfd);
pid_t rump_sys_getpid(void);
ssize_t rump_sys_sendfile(int out_fd, int in_fd, off_t *offset, size_t count);
int rump_sys_socket(int domain, int socktype, int protocol);
int rump_sys_connect(int sockfd, const struct sockaddr *addr, socklen_t addrlen);
int rump_sys_accept(int sockfd, struct sockaddr *addr, socklen_t *addrlen);
ssize_t rump_sys_sendto(int sockfd, const void *buf, size_t len, int flags, const struct sockaddr *dest_addr, socklen_t addrlen);
ssize_t rump_sys_recvfrom(int sockfd, void *buf, size_t len, int flags, struct sockaddr *src_addr, socklen_t *addrlen);
ssize_t rump_sys_sendmsg(int sockfd, const struct msghdr *msg, int flags);
ssize_t rump_sys_recvmsg(int sockfd, struct msghdr *msg, int flags);
int rump_sys_shutdown(int sockfd, int how);
int rump_sys_bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen);
int rump_sys_listen(int sockfd, int backlog);
int rump_sys_getsockname(int sockfd, struct sockaddr *addr, socklen_t *addrlen);
int rump_sys_getpeername(int sockfd, struct sockaddr *addr, socklen_t *addrlen);
int rump_sys_socketpair(int domain, int socktype, int protocol, int *sv);
int rump_sys_setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen);
int rump_sys_getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen);
int rump_sys_uname(struct utsname *buf);
int rump_sys_fcntl(int fd, int cmd, ...);
int rump_sys_flock(int fd, int operation);
int rump_sys_fsync(int fd);
int rump_sys_fdatasync(int fd);
int rump_sys_truncate(const char *path, off_t length);
int rump_sys_ftruncate(int fd, off_t length);
ssize_t rump_sys_getdents(int fd, void *dirp, size_t count);
int rump_sys_getcwd(char *buf, size_t size);
int rump_sys_chdir(const char *path);
int rump_sys_fchdir(int fd);
int rump_sys_rename(const char *oldpath, const char *newpath);
int rump_sys_mkdir(const char *path, mode_t mode);
int rump_sys_rmdir(const char *path);
int rump_sys_creat(const char *path, mode_t mode);
int rump_sys_link(const char *oldpath, const char *newpath);
int rump_sys_unlink(const char *path);
int rump_sys_symlink(const char *target, const char *linkpath);
ssize_t rump_sys_readlink(const char *path, char *buf, size_t bufsiz);
int rump_sys_chmod(const char *path, mode_t mode);
int rump_sys_fchmod(int fd, mode_t mode);
int rump_sys_chown(const char *path, uid_t owner, gid_t group);
int rump_sys_fchown(int fd, uid_t owner, gid_t group);
int rump_sys_lchown(const char *path, uid_t owner, gid_t group);
mode_t rump_sys_umask(mode_t mask);
uid_t rump_sys_getuid(void);
gid_t rump_sys_getgid(void);
uid_t rump_sys_geteuid(void);
gid_t rump_sys_getegid(void);
pid_t rump_sys_getppid(void);
int rump_sys_utime(const char *path, const struct utimbuf *times);
int rump_sys_mknod(const char *path, mode_t mode, dev_t dev);
int rump_sys_statfs(const char *path, struct statfs *buf);
int rump_sys_fstatfs(int fd, struct statfs *buf);
int rump_sys_pivot_root(const char *new_root, const char *put_old);
int rump_sys_chroot(const char *path);
void rump_sys_sync(void);
int rump_sys_mount(const char *source, const char *target, const char *fstype, unsigned long flags, const void *data);
int rump_sys_umount2(const char *target, int flags);
int rump_sys_sethostname(const char *name, size_t len);
int rump_sys_setdomainname(const char *name, size_t len);
int rump_sys_quotactl(int op, const char *special, int id, void *addr);
pid_t rump_sys_gettid(void);
ssize_t rump_sys_readahead(int fd, off_t offset, size_t count);
int rump_sys_setxattr(const char *path, const char *name, const void *value, size_t size, int flags);
int rump_sys_lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags);
int rump_sys_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags);
ssize_t rump_sys_getxattr(const char *path, const char *name, void *value, size_t size);
ssize_t rump_sys_lgetxattr(const char *path, const char *name, void *value, size_t size);
ssize_t rump_sys_fgetxattr(int fd, const char *name, void *value, size_t size);
ssize_t rump_sys_listxattr(const char *path, char *list, size_t size);
ssize_t rump_sys_llistxattr(const char *path, char *list, size_t size);
ssize_t rump_sys_flistxattr(int fd, char *list, size_t size);
int rump_sys_removexattr(const char *path, const char *name);
int rump_sys_lremovexattr(const char *path, const char *name);
int rump_sys_fremovexattr(int fd, const char *name);
ssize_t rump_sys_getdents64(int fd, void *dirp, size_t count);
int rump_sys_fadvise64(int fd, off_t offset, off_t len, int advice);
int rump_sys_utimes(const char *path, const struct timeval *times);
int rump_sys_inotify_add_watch(int fd, const char *path, unsigned int mask);
int rump_sys_inotify_rm_watch(int fd, int wd);
int rump_sys_openat(int dirfd, const char *path, int flags, ...);
int rump_sys_mkdirat(int dirfd, const char *path, mode_t mode);
int rump_sys_mknodat(int dirfd, const char *path, mode_t mode, dev_t dev);
int rump_sys_fchownat(int dirfd, const char *path, uid_t owner, gid_t group, int flags);
int rump_sys_futimesat(int dirfd, const char *path, const struct timeval *times);
int rump_sys_newfstatat(int dirfd, const char *path, struct stat *buf, int flags);
int rump_sys_unlinkat(int dirfd, const char *path, int flags);
int rump_sys_renameat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath);
int rump_sys_linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags);
int rump_sys_symlinkat(const char *target, int newdirfd, const char *linkpath);
ssize_t rump_sys_readlinkat(int dirfd, const char *path, char *buf, size_t bufsiz);
int rump_sys_fchmodat(int dirfd, const char *path, mode_t mode);
int rump_sys_faccessat(int dirfd, const char *path, int mode);
int rump_sys_ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout, const sigset_t *sigmask);
int rump_sys_sync_file_range(int fd, off_t offset, off_t nbytes, unsigned int flags);
int rump_sys_utimensat(int dirfd, const char *path, const struct timespec *times, int flags);
int rump_sys_fallocate(int fd, int mode, off_t offset, off_t len);
int rump_sys_accept4(int sockfd, struct sockaddr *addr, socklen_t *addrlen, int flags);
int rump_sys_dup3(int oldfd, int newfd, int flags);
int rump_sys_pipe2(int *fds, int flags);
ssize_t rump_sys_preadv(int fd, const struct iovec *iov, int iovcnt, off_t offset);
ssize_t rump_sys_pwritev(int fd, const struct iovec *iov, int iovcnt, off_t offset);
int rump_sys_recvmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags, struct timespec *timeout);
int rump_sys_name_to_handle_at(int dirfd, const char *path, struct file_handle *handle, int *mount_id, int flags);
int rump_sys_open_by_handle_at(int mount_fd, struct file_handle *handle, int flags);
int rump_sys_syncfs(int fd);
int rump_sys_sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags);
int rump_sys_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags);
ssize_t rump_sys_copy_file_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t len, unsigned int flags);
ssize_t rump_sys_preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags);
ssize_t rump_sys_pwritev2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags);
int rump_sys_statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *statxbuf);
int rump_sys_open_tree(int dirfd, const char *path, unsigned int flags);
int rump_sys_move_mount(int from_dirfd, const char *from_path, int to_dirfd, const char *to_path, unsigned int flags);
int rump_sys_fsopen(const char *fsname, unsigned int flags);
int rump_sys_fsconfig(int fd, unsigned int cmd, const char *key, const void *value, int aux);
int rump_sys_fsmount(int fd, unsigned int flags, unsigned int attr_flags);
int rump_sys_fspick(int dirfd, const char *path, unsigned int flags);
int rump_sys_close_range(unsigned int first, unsigned int last, int flags);
int rump_sys_openat2(int dirfd, const char *path, const struct open_how *how, size_t size);
int rump_sys_faccessat2(int dirfd, const char *path, int mode, int flags);
int rump_sys_mount_setattr(int dirfd, const char *path, unsigned int flags, const void *attr, size_t size);
int rump_sys_quotactl_fd(unsigned int fd, unsigned int op, unsigned int id, void *addr);
int rump_sys_fchmodat2(int dirfd, const char *path, mode_t mode, int flags);
ssize_t rump_sys_listmount(const void *req, void *mnt_ids, size_t nr_mnt_ids, unsigned int flags);
int rump_sys_open_tree_attr(int dirfd, const char *path, unsigned int flags, const void *attr, size_t size);

int rump_sys_select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, struct timeval *timeout);
int rump_sys_pselect(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, const struct timespec *timeout, const sigset_t *sigmask);

#ifdef __cplusplus
}
#endif

#endif /* _RUMP_RUMP_SYSCALLS_H_ */
