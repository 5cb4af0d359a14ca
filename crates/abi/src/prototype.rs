//! The C prototypes of the calls that a rump kernel serves: the `rump_sys_*` functions of rumpclient(3).
//!
//! One list makes both the functions of librumpclient and include/rump/rump_syscalls.h: [`prototypes!`](crate::prototypes) hands it
//! to a macro. Types are those of the C library's function of the same name, where it has one.

/// One function.
#[derive(Debug, Clone, Copy)]
pub struct Prototype {
    /// Its name, `rump_sys_` and that of the call.
    pub name: &'static str,
    /// The call's number.
    pub nr: u32,
    /// What it answers.
    pub result: &'static str,
    /// Its parameters as they stand between the parentheses, one by one.
    pub parameters: &'static [&'static str],
}

/// Hands all prototypes to the macro `$each`, as rows of `name NUMBER result(kind ["C type"] parameter, …);`. A kind is a C
/// type's name, `ptr` with the pointer's type behind it, or `etc` for what `...` stands for.
#[macro_export]
macro_rules! prototypes {
    ($each:ident) => {
        $each! {
            rump_sys_read READ ssize_t(int fd, ptr "void *" buf, size_t count);
            rump_sys_write WRITE ssize_t(int fd, ptr "const void *" buf, size_t count);
            rump_sys_open OPEN int(ptr "const char *" path, int flags, etc mode);
            rump_sys_close CLOSE int(int fd);
            rump_sys_stat STAT int(ptr "const char *" path, ptr "struct stat *" buf);
            rump_sys_fstat FSTAT int(int fd, ptr "struct stat *" buf);
            rump_sys_lstat LSTAT int(ptr "const char *" path, ptr "struct stat *" buf);
            rump_sys_poll POLL int(ptr "struct pollfd *" fds, nfds_t nfds, int timeout);
            rump_sys_lseek LSEEK off_t(int fd, off_t offset, int whence);
            rump_sys_ioctl IOCTL int(int fd, ulong request, etc argument);
            rump_sys_pread64 PREAD64 ssize_t(int fd, ptr "void *" buf, size_t count, off_t offset);
            rump_sys_pwrite64 PWRITE64 ssize_t(int fd, ptr "const void *" buf, size_t count, off_t offset);
            rump_sys_readv READV ssize_t(int fd, ptr "const struct iovec *" iov, int iovcnt);
            rump_sys_writev WRITEV ssize_t(int fd, ptr "const struct iovec *" iov, int iovcnt);
            rump_sys_access ACCESS int(ptr "const char *" path, int mode);
            rump_sys_pipe PIPE int(ptr "int *" fds);
            rump_sys_dup DUP int(int oldfd);
            rump_sys_dup2 DUP2 int(int oldfd, int newfd);
            rump_sys_getpid GETPID pid_t();
            rump_sys_sendfile SENDFILE ssize_t(int out_fd, int in_fd, ptr "off_t *" offset, size_t count);
            rump_sys_socket SOCKET int(int domain, int socktype, int protocol);
            rump_sys_connect CONNECT int(int sockfd, ptr "const struct sockaddr *" addr, socklen_t addrlen);
            rump_sys_accept ACCEPT int(int sockfd, ptr "struct sockaddr *" addr, ptr "socklen_t *" addrlen);
            rump_sys_sendto SENDTO ssize_t(int sockfd, ptr "const void *" buf, size_t len, int flags, ptr "const struct sockaddr *" dest_addr, socklen_t addrlen);
            rump_sys_recvfrom RECVFROM ssize_t(int sockfd, ptr "void *" buf, size_t len, int flags, ptr "struct sockaddr *" src_addr, ptr "socklen_t *" addrlen);
            rump_sys_sendmsg SENDMSG ssize_t(int sockfd, ptr "const struct msghdr *" msg, int flags);
            rump_sys_recvmsg RECVMSG ssize_t(int sockfd, ptr "struct msghdr *" msg, int flags);
            rump_sys_shutdown SHUTDOWN int(int sockfd, int how);
            rump_sys_bind BIND int(int sockfd, ptr "const struct sockaddr *" addr, socklen_t addrlen);
            rump_sys_listen LISTEN int(int sockfd, int backlog);
            rump_sys_getsockname GETSOCKNAME int(int sockfd, ptr "struct sockaddr *" addr, ptr "socklen_t *" addrlen);
            rump_sys_getpeername GETPEERNAME int(int sockfd, ptr "struct sockaddr *" addr, ptr "socklen_t *" addrlen);
            rump_sys_socketpair SOCKETPAIR int(int domain, int socktype, int protocol, ptr "int *" sv);
            rump_sys_setsockopt SETSOCKOPT int(int sockfd, int level, int optname, ptr "const void *" optval, socklen_t optlen);
            rump_sys_getsockopt GETSOCKOPT int(int sockfd, int level, int optname, ptr "void *" optval, ptr "socklen_t *" optlen);
            rump_sys_uname UNAME int(ptr "struct utsname *" buf);
            rump_sys_fcntl FCNTL int(int fd, int cmd, etc argument);
            rump_sys_flock FLOCK int(int fd, int operation);
            rump_sys_fsync FSYNC int(int fd);
            rump_sys_fdatasync FDATASYNC int(int fd);
            rump_sys_truncate TRUNCATE int(ptr "const char *" path, off_t length);
            rump_sys_ftruncate FTRUNCATE int(int fd, off_t length);
            rump_sys_getdents GETDENTS ssize_t(int fd, ptr "void *" dirp, size_t count);
            rump_sys_getcwd GETCWD int(ptr "char *" buf, size_t size);
            rump_sys_chdir CHDIR int(ptr "const char *" path);
            rump_sys_fchdir FCHDIR int(int fd);
            rump_sys_rename RENAME int(ptr "const char *" oldpath, ptr "const char *" newpath);
            rump_sys_mkdir MKDIR int(ptr "const char *" path, mode_t mode);
            rump_sys_rmdir RMDIR int(ptr "const char *" path);
            rump_sys_creat CREAT int(ptr "const char *" path, mode_t mode);
            rump_sys_link LINK int(ptr "const char *" oldpath, ptr "const char *" newpath);
            rump_sys_unlink UNLINK int(ptr "const char *" path);
            rump_sys_symlink SYMLINK int(ptr "const char *" target, ptr "const char *" linkpath);
            rump_sys_readlink READLINK ssize_t(ptr "const char *" path, ptr "char *" buf, size_t bufsiz);
            rump_sys_chmod CHMOD int(ptr "const char *" path, mode_t mode);
            rump_sys_fchmod FCHMOD int(int fd, mode_t mode);
            rump_sys_chown CHOWN int(ptr "const char *" path, uid_t owner, gid_t group);
            rump_sys_fchown FCHOWN int(int fd, uid_t owner, gid_t group);
            rump_sys_lchown LCHOWN int(ptr "const char *" path, uid_t owner, gid_t group);
            rump_sys_umask UMASK mode_t(mode_t mask);
            rump_sys_getuid GETUID uid_t();
            rump_sys_getgid GETGID gid_t();
            rump_sys_geteuid GETEUID uid_t();
            rump_sys_getegid GETEGID gid_t();
            rump_sys_getppid GETPPID pid_t();
            rump_sys_utime UTIME int(ptr "const char *" path, ptr "const struct utimbuf *" times);
            rump_sys_mknod MKNOD int(ptr "const char *" path, mode_t mode, dev_t dev);
            rump_sys_statfs STATFS int(ptr "const char *" path, ptr "struct statfs *" buf);
            rump_sys_fstatfs FSTATFS int(int fd, ptr "struct statfs *" buf);
            rump_sys_pivot_root PIVOT_ROOT int(ptr "const char *" new_root, ptr "const char *" put_old);
            rump_sys_chroot CHROOT int(ptr "const char *" path);
            rump_sys_sync SYNC void();
            rump_sys_mount MOUNT int(ptr "const char *" source, ptr "const char *" target, ptr "const char *" fstype, ulong flags, ptr "const void *" data);
            rump_sys_umount2 UMOUNT2 int(ptr "const char *" target, int flags);
            rump_sys_sethostname SETHOSTNAME int(ptr "const char *" name, size_t len);
            rump_sys_setdomainname SETDOMAINNAME int(ptr "const char *" name, size_t len);
            rump_sys_quotactl QUOTACTL int(int op, ptr "const char *" special, int id, ptr "void *" addr);
            rump_sys_gettid GETTID pid_t();
            rump_sys_readahead READAHEAD ssize_t(int fd, off_t offset, size_t count);
            rump_sys_setxattr SETXATTR int(ptr "const char *" path, ptr "const char *" name, ptr "const void *" value, size_t size, int flags);
            rump_sys_lsetxattr LSETXATTR int(ptr "const char *" path, ptr "const char *" name, ptr "const void *" value, size_t size, int flags);
            rump_sys_fsetxattr FSETXATTR int(int fd, ptr "const char *" name, ptr "const void *" value, size_t size, int flags);
            rump_sys_getxattr GETXATTR ssize_t(ptr "const char *" path, ptr "const char *" name, ptr "void *" value, size_t size);
            rump_sys_lgetxattr LGETXATTR ssize_t(ptr "const char *" path, ptr "const char *" name, ptr "void *" value, size_t size);
            rump_sys_fgetxattr FGETXATTR ssize_t(int fd, ptr "const char *" name, ptr "void *" value, size_t size);
            rump_sys_listxattr LISTXATTR ssize_t(ptr "const char *" path, ptr "char *" list, size_t size);
            rump_sys_llistxattr LLISTXATTR ssize_t(ptr "const char *" path, ptr "char *" list, size_t size);
            rump_sys_flistxattr FLISTXATTR ssize_t(int fd, ptr "char *" list, size_t size);
            rump_sys_removexattr REMOVEXATTR int(ptr "const char *" path, ptr "const char *" name);
            rump_sys_lremovexattr LREMOVEXATTR int(ptr "const char *" path, ptr "const char *" name);
            rump_sys_fremovexattr FREMOVEXATTR int(int fd, ptr "const char *" name);
            rump_sys_getdents64 GETDENTS64 ssize_t(int fd, ptr "void *" dirp, size_t count);
            rump_sys_fadvise64 FADVISE64 int(int fd, off_t offset, off_t len, int advice);
            rump_sys_utimes UTIMES int(ptr "const char *" path, ptr "const struct timeval *" times);
            rump_sys_inotify_add_watch INOTIFY_ADD_WATCH int(int fd, ptr "const char *" path, uint mask);
            rump_sys_inotify_rm_watch INOTIFY_RM_WATCH int(int fd, int wd);
            rump_sys_openat OPENAT int(int dirfd, ptr "const char *" path, int flags, etc mode);
            rump_sys_mkdirat MKDIRAT int(int dirfd, ptr "const char *" path, mode_t mode);
            rump_sys_mknodat MKNODAT int(int dirfd, ptr "const char *" path, mode_t mode, dev_t dev);
            rump_sys_fchownat FCHOWNAT int(int dirfd, ptr "const char *" path, uid_t owner, gid_t group, int flags);
            rump_sys_futimesat FUTIMESAT int(int dirfd, ptr "const char *" path, ptr "const struct timeval *" times);
            rump_sys_newfstatat NEWFSTATAT int(int dirfd, ptr "const char *" path, ptr "struct stat *" buf, int flags);
            rump_sys_unlinkat UNLINKAT int(int dirfd, ptr "const char *" path, int flags);
            rump_sys_renameat RENAMEAT int(int olddirfd, ptr "const char *" oldpath, int newdirfd, ptr "const char *" newpath);
            rump_sys_linkat LINKAT int(int olddirfd, ptr "const char *" oldpath, int newdirfd, ptr "const char *" newpath, int flags);
            rump_sys_symlinkat SYMLINKAT int(ptr "const char *" target, int newdirfd, ptr "const char *" linkpath);
            rump_sys_readlinkat READLINKAT ssize_t(int dirfd, ptr "const char *" path, ptr "char *" buf, size_t bufsiz);
            rump_sys_fchmodat FCHMODAT int(int dirfd, ptr "const char *" path, mode_t mode);
            rump_sys_faccessat FACCESSAT int(int dirfd, ptr "const char *" path, int mode);
            rump_sys_ppoll PPOLL int(ptr "struct pollfd *" fds, nfds_t nfds, ptr "const struct timespec *" timeout, ptr "const sigset_t *" sigmask);
            rump_sys_sync_file_range SYNC_FILE_RANGE int(int fd, off_t offset, off_t nbytes, uint flags);
            rump_sys_utimensat UTIMENSAT int(int dirfd, ptr "const char *" path, ptr "const struct timespec *" times, int flags);
            rump_sys_fallocate FALLOCATE int(int fd, int mode, off_t offset, off_t len);
            rump_sys_accept4 ACCEPT4 int(int sockfd, ptr "struct sockaddr *" addr, ptr "socklen_t *" addrlen, int flags);
            rump_sys_dup3 DUP3 int(int oldfd, int newfd, int flags);
            rump_sys_pipe2 PIPE2 int(ptr "int *" fds, int flags);
            rump_sys_preadv PREADV ssize_t(int fd, ptr "const struct iovec *" iov, int iovcnt, off_t offset);
            rump_sys_pwritev PWRITEV ssize_t(int fd, ptr "const struct iovec *" iov, int iovcnt, off_t offset);
            rump_sys_recvmmsg RECVMMSG int(int sockfd, ptr "struct mmsghdr *" msgvec, uint vlen, int flags, ptr "struct timespec *" timeout);
            rump_sys_name_to_handle_at NAME_TO_HANDLE_AT int(int dirfd, ptr "const char *" path, ptr "struct file_handle *" handle, ptr "int *" mount_id, int flags);
            rump_sys_open_by_handle_at OPEN_BY_HANDLE_AT int(int mount_fd, ptr "struct file_handle *" handle, int flags);
            rump_sys_syncfs SYNCFS int(int fd);
            rump_sys_sendmmsg SENDMMSG int(int sockfd, ptr "struct mmsghdr *" msgvec, uint vlen, int flags);
            rump_sys_renameat2 RENAMEAT2 int(int olddirfd, ptr "const char *" oldpath, int newdirfd, ptr "const char *" newpath, uint flags);
            rump_sys_copy_file_range COPY_FILE_RANGE ssize_t(int fd_in, ptr "off_t *" off_in, int fd_out, ptr "off_t *" off_out, size_t len, uint flags);
            rump_sys_preadv2 PREADV2 ssize_t(int fd, ptr "const struct iovec *" iov, int iovcnt, off_t offset, int flags);
            rump_sys_pwritev2 PWRITEV2 ssize_t(int fd, ptr "const struct iovec *" iov, int iovcnt, off_t offset, int flags);
            rump_sys_statx STATX int(int dirfd, ptr "const char *" path, int flags, uint mask, ptr "struct statx *" statxbuf);
            rump_sys_open_tree OPEN_TREE int(int dirfd, ptr "const char *" path, uint flags);
            rump_sys_move_mount MOVE_MOUNT int(int from_dirfd, ptr "const char *" from_path, int to_dirfd, ptr "const char *" to_path, uint flags);
            rump_sys_fsopen FSOPEN int(ptr "const char *" fsname, uint flags);
            rump_sys_fsconfig FSCONFIG int(int fd, uint cmd, ptr "const char *" key, ptr "const void *" value, int aux);
            rump_sys_fsmount FSMOUNT int(int fd, uint flags, uint attr_flags);
            rump_sys_fspick FSPICK int(int dirfd, ptr "const char *" path, uint flags);
            rump_sys_close_range CLOSE_RANGE int(uint first, uint last, int flags);
            rump_sys_openat2 OPENAT2 int(int dirfd, ptr "const char *" path, ptr "const struct open_how *" how, size_t size);
            rump_sys_faccessat2 FACCESSAT2 int(int dirfd, ptr "const char *" path, int mode, int flags);
            rump_sys_mount_setattr MOUNT_SETATTR int(int dirfd, ptr "const char *" path, uint flags, ptr "const void *" attr, size_t size);
            rump_sys_quotactl_fd QUOTACTL_FD int(uint fd, uint op, uint id, ptr "void *" addr);
            rump_sys_fchmodat2 FCHMODAT2 int(int dirfd, ptr "const char *" path, mode_t mode, int flags);
            rump_sys_listmount LISTMOUNT ssize_t(ptr "const void *" req, ptr "void *" mnt_ids, size_t nr_mnt_ids, uint flags);
            rump_sys_open_tree_attr OPEN_TREE_ATTR int(int dirfd, ptr "const char *" path, uint flags, ptr "const void *" attr, size_t size);
        }
    };
}

macro_rules! list {
    ($($name:ident $nr:ident $result:ident($($kind:ident $($ctype:literal)? $arg:ident),*);)*) => {
        /// All of them, in the order of their numbers.
        pub const ALL: &[Prototype] = &[$(Prototype {
            name: stringify!($name),
            nr: crate::nr::$nr,
            result: stringify!($result),
            parameters: &[$(list!(@parameter $kind $($ctype)? $arg)),*],
        }),*];
    };
    (@parameter etc $arg:ident) => { "..." };
    (@parameter ptr $ctype:literal $arg:ident) => { concat!($ctype, stringify!($arg)) };
    (@parameter uint $arg:ident) => { concat!("unsigned int ", stringify!($arg)) };
    (@parameter ulong $arg:ident) => { concat!("unsigned long ", stringify!($arg)) };
    (@parameter $kind:ident $arg:ident) => { concat!(stringify!($kind), " ", stringify!($arg)) };
}

prototypes!(list);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::lookup;

    /// The C functions have fewer parameters than the calls: a position is one, and a signal set has no size.
    const SHORTER: &[&str] = &["ppoll", "preadv", "pwritev", "preadv2", "pwritev2"];

    #[test]
    fn prototypes_are_those_of_the_rows() {
        assert!(ALL.is_sorted_by_key(|prototype| prototype.nr));
        for prototype in ALL {
            let row = lookup(prototype.nr).expect(prototype.name);
            assert_eq!(prototype.name.strip_prefix("rump_sys_"), Some(row.name()));
            let missing = usize::from(SHORTER.contains(&row.name()));
            assert_eq!(prototype.parameters.len() + missing, row.args().len(), "{}", row.name());
        }
    }
}
