//! One file per call, named after it: decode, find the object, ask it, return.

use crate::call::Answer;
use crate::cx::Cx;

/// Serves one call.
type Handler = fn(&mut Cx<'_>) -> Answer;

macro_rules! handlers {
    ($($nr:path => $file:ident;)*) => {
        $(mod $file;)*

        /// The numbers that have a handler.
        #[cfg(test)]
        const HANDLED: &[u32] = &[$($nr),*];

        /// The handler of a call number.
        pub(crate) fn handler(nr: u32) -> Option<Handler> {
            match nr {
                $($nr => Some($file::$file),)*
                _ => None,
            }
        }
    };
}

// In alphabetical order.
handlers! {
    abi::nr::ACCEPT => accept;
    abi::nr::ACCEPT4 => accept4;
    abi::nr::ACCESS => access;
    abi::nr::BIND => bind;
    abi::nr::CHDIR => chdir;
    abi::nr::CHMOD => chmod;
    abi::nr::CHOWN => chown;
    abi::nr::CHROOT => chroot;
    abi::nr::CLOSE => close;
    abi::nr::CLOSE_RANGE => close_range;
    abi::nr::CONNECT => connect;
    abi::nr::COPY_FILE_RANGE => copy_file_range;
    abi::nr::CREAT => creat;
    abi::nr::DUP => dup;
    abi::nr::DUP2 => dup2;
    abi::nr::DUP3 => dup3;
    abi::nr::FACCESSAT => faccessat;
    abi::nr::FACCESSAT2 => faccessat2;
    abi::nr::FADVISE64 => fadvise64;
    abi::nr::FALLOCATE => fallocate;
    abi::nr::FCHDIR => fchdir;
    abi::nr::FCHMOD => fchmod;
    abi::nr::FCHMODAT => fchmodat;
    abi::nr::FCHMODAT2 => fchmodat2;
    abi::nr::FCHOWN => fchown;
    abi::nr::FCHOWNAT => fchownat;
    abi::nr::FCNTL => fcntl;
    abi::nr::FDATASYNC => fdatasync;
    abi::nr::FGETXATTR => fgetxattr;
    abi::nr::FLISTXATTR => flistxattr;
    abi::nr::FLOCK => flock;
    abi::nr::FSCONFIG => fsconfig;
    abi::nr::FSMOUNT => fsmount;
    abi::nr::FSOPEN => fsopen;
    abi::nr::FSPICK => fspick;
    abi::nr::FREMOVEXATTR => fremovexattr;
    abi::nr::FSETXATTR => fsetxattr;
    abi::nr::FSTAT => fstat;
    abi::nr::FSTATFS => fstatfs;
    abi::nr::FSYNC => fsync;
    abi::nr::FTRUNCATE => ftruncate;
    abi::nr::FUTIMESAT => futimesat;
    abi::nr::GETCWD => getcwd;
    abi::nr::GETDENTS => getdents;
    abi::nr::GETDENTS64 => getdents64;
    abi::nr::GETEGID => getegid;
    abi::nr::GETEUID => geteuid;
    abi::nr::GETGID => getgid;
    abi::nr::GETPEERNAME => getpeername;
    abi::nr::GETPID => getpid;
    abi::nr::GETPPID => getppid;
    abi::nr::GETSOCKNAME => getsockname;
    abi::nr::GETSOCKOPT => getsockopt;
    abi::nr::GETTID => gettid;
    abi::nr::GETUID => getuid;
    abi::nr::GETXATTR => getxattr;
    abi::nr::INOTIFY_ADD_WATCH => inotify_add_watch;
    abi::nr::INOTIFY_RM_WATCH => inotify_rm_watch;
    abi::nr::IOCTL => ioctl;
    abi::nr::LCHOWN => lchown;
    abi::nr::LGETXATTR => lgetxattr;
    abi::nr::LINK => link;
    abi::nr::LINKAT => linkat;
    abi::nr::LISTEN => listen;
    abi::nr::LISTMOUNT => listmount;
    abi::nr::LISTXATTR => listxattr;
    abi::nr::LLISTXATTR => llistxattr;
    abi::nr::LREMOVEXATTR => lremovexattr;
    abi::nr::LSEEK => lseek;
    abi::nr::LSETXATTR => lsetxattr;
    abi::nr::LSTAT => lstat;
    abi::nr::MKDIR => mkdir;
    abi::nr::MKDIRAT => mkdirat;
    abi::nr::MKNOD => mknod;
    abi::nr::MKNODAT => mknodat;
    abi::nr::MOUNT => mount;
    abi::nr::MOUNT_SETATTR => mount_setattr;
    abi::nr::MOVE_MOUNT => move_mount;
    abi::nr::NAME_TO_HANDLE_AT => name_to_handle_at;
    abi::nr::NEWFSTATAT => newfstatat;
    abi::nr::OPEN => open;
    abi::nr::OPEN_BY_HANDLE_AT => open_by_handle_at;
    abi::nr::OPEN_TREE => open_tree;
    abi::nr::OPEN_TREE_ATTR => open_tree_attr;
    abi::nr::OPENAT => openat;
    abi::nr::OPENAT2 => openat2;
    abi::nr::PIPE => pipe;
    abi::nr::PIPE2 => pipe2;
    abi::nr::PIVOT_ROOT => pivot_root;
    abi::nr::POLL => poll;
    abi::nr::PPOLL => ppoll;
    abi::nr::PREAD64 => pread64;
    abi::nr::PREADV => preadv;
    abi::nr::PREADV2 => preadv2;
    abi::nr::PWRITE64 => pwrite64;
    abi::nr::PWRITEV => pwritev;
    abi::nr::PWRITEV2 => pwritev2;
    abi::nr::QUOTACTL => quotactl;
    abi::nr::QUOTACTL_FD => quotactl_fd;
    abi::nr::READ => read;
    abi::nr::READAHEAD => readahead;
    abi::nr::READLINK => readlink;
    abi::nr::READLINKAT => readlinkat;
    abi::nr::READV => readv;
    abi::nr::RECVFROM => recvfrom;
    abi::nr::RECVMMSG => recvmmsg;
    abi::nr::RECVMSG => recvmsg;
    abi::nr::REMOVEXATTR => removexattr;
    abi::nr::RENAME => rename;
    abi::nr::RENAMEAT => renameat;
    abi::nr::RENAMEAT2 => renameat2;
    abi::nr::RMDIR => rmdir;
    abi::nr::SENDFILE => sendfile;
    abi::nr::SENDMMSG => sendmmsg;
    abi::nr::SENDMSG => sendmsg;
    abi::nr::SENDTO => sendto;
    abi::nr::SETDOMAINNAME => setdomainname;
    abi::nr::SETHOSTNAME => sethostname;
    abi::nr::SETSOCKOPT => setsockopt;
    abi::nr::SETXATTR => setxattr;
    abi::nr::SHUTDOWN => shutdown;
    abi::nr::SOCKET => socket;
    abi::nr::SOCKETPAIR => socketpair;
    abi::nr::STAT => stat;
    abi::nr::STATFS => statfs;
    abi::nr::STATX => statx;
    abi::nr::SYMLINK => symlink;
    abi::nr::SYMLINKAT => symlinkat;
    abi::nr::SYNC => sync;
    abi::nr::SYNCFS => syncfs;
    abi::nr::SYNC_FILE_RANGE => sync_file_range;
    abi::nr::TRUNCATE => truncate;
    abi::nr::UMASK => umask;
    abi::nr::UMOUNT2 => umount2;
    abi::nr::UNAME => uname;
    abi::nr::UNLINK => unlink;
    abi::nr::UNLINKAT => unlinkat;
    abi::nr::UTIME => utime;
    abi::nr::UTIMENSAT => utimensat;
    abi::nr::UTIMES => utimes;
    abi::nr::WRITE => write;
    abi::nr::WRITEV => writev;
    abi::private::HALT => rump_halt;
    abi::private::FIND => rump_find;
    abi::private::DIRECT => rump_direct;
    abi::private::FSIZE => rump_fsize;
    abi::private::IDENTIFY => rump_identify;
    abi::private::INOTIFY => rump_inotify;
    abi::private::MSYNC => rump_msync;
    abi::private::NETLINK => rump_netlink;
    abi::private::INFO => rump_info;
    abi::private::MAPFD => rump_mapfd;
    abi::private::MOUNTS => rump_mounts;
    abi::private::NFS => rump_nfs;
    abi::private::PLACE => rump_place;
    abi::private::SHARE => rump_share;
    abi::private::STATMOUNT => rump_statmount;
    abi::private::TAKE => rump_take;
    abi::private::TEXT => rump_text;
    abi::private::TRACE => rump_trace;
    abi::private::CAPTURE => rump_capture;
    abi::private::WATCH => rump_watch;
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::table::{Route, Row, Support};

    /// Special calls that end in the library, which makes of them what they need of others.
    const OF_THE_LIBRARY: &[&str] = &[
        "arch_prctl",
        "clone",
        "clone3",
        "epoll_ctl",
        "execve",
        "execveat",
        "fork",
        "io_submit",
        "mmap",
        "pidfd_getfd",
        "prctl",
        "pselect6",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
        "select",
        "splice",
        "tee",
        "vfork",
        "vmsplice",
    ];

    /// The server answers it without the kernel.
    const OF_THE_SERVER: &[u32] =
        &[abi::private::SITES, abi::private::LINK, abi::private::CREDENTIALS, abi::private::LANE];

    fn reaches_the_kernel(row: &Row) -> bool {
        match row.route {
            Route::Host | Route::Refused(_) => false,
            Route::Special => !OF_THE_LIBRARY.contains(&row.name()) && !OF_THE_SERVER.contains(&row.nr),
            _ => true,
        }
    }

    #[test]
    fn rows_say_what_has_a_handler() {
        let private = (abi::private::FIRST..).map_while(abi::table::lookup);
        for row in abi::table::all().chain(private).filter(|row| reaches_the_kernel(row)) {
            let claimed = matches!(row.support, Support::Full | Support::Partial);
            assert_eq!(claimed, handler(row.nr).is_some(), "{}: row and handler disagree", row.name());
        }
        let linux = HANDLED.iter().filter(|nr| **nr < abi::private::FIRST);
        for nr in linux {
            let declared = abi::prototype::ALL.iter().any(|prototype| prototype.nr == *nr);
            assert!(declared, "call {nr} has no prototype for rumpclient(3) in abi/src/prototype.rs");
        }
        for nr in HANDLED {
            let support = abi::table::lookup(*nr).map(|row| row.support);
            let honest =
                support.is_some_and(|support| !matches!(support, Support::Missing | Support::Refused));
            assert!(honest, "call {nr} has a handler and its row says {support:?}");
        }
    }
}
