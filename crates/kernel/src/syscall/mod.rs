//! One file per call, named after it: decode, find the object, ask it, return.

use crate::call::Answer;
use crate::cx::Cx;

/// Serves one call.
type Handler = fn(&mut Cx<'_>) -> Answer;

macro_rules! handlers {
    ($($nr:path => $file:ident;)*) => {
        $(mod $file;)*

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
    abi::nr::FLOCK => flock;
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
    abi::nr::IOCTL => ioctl;
    abi::nr::LCHOWN => lchown;
    abi::nr::LINK => link;
    abi::nr::LINKAT => linkat;
    abi::nr::LISTEN => listen;
    abi::nr::LSEEK => lseek;
    abi::nr::LSTAT => lstat;
    abi::nr::MKDIR => mkdir;
    abi::nr::MKDIRAT => mkdirat;
    abi::nr::MKNOD => mknod;
    abi::nr::MKNODAT => mknodat;
    abi::nr::NEWFSTATAT => newfstatat;
    abi::nr::OPEN => open;
    abi::nr::OPENAT => openat;
    abi::nr::OPENAT2 => openat2;
    abi::nr::PIPE => pipe;
    abi::nr::PIPE2 => pipe2;
    abi::nr::POLL => poll;
    abi::nr::PPOLL => ppoll;
    abi::nr::PREAD64 => pread64;
    abi::nr::PREADV => preadv;
    abi::nr::PREADV2 => preadv2;
    abi::nr::PWRITE64 => pwrite64;
    abi::nr::PWRITEV => pwritev;
    abi::nr::PWRITEV2 => pwritev2;
    abi::nr::READ => read;
    abi::nr::READLINK => readlink;
    abi::nr::READLINKAT => readlinkat;
    abi::nr::READV => readv;
    abi::nr::RECVFROM => recvfrom;
    abi::nr::RECVMMSG => recvmmsg;
    abi::nr::RECVMSG => recvmsg;
    abi::nr::RENAME => rename;
    abi::nr::RENAMEAT => renameat;
    abi::nr::RENAMEAT2 => renameat2;
    abi::nr::RMDIR => rmdir;
    abi::nr::SENDMMSG => sendmmsg;
    abi::nr::SENDMSG => sendmsg;
    abi::nr::SENDTO => sendto;
    abi::nr::SETSOCKOPT => setsockopt;
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
    abi::nr::UNLINK => unlink;
    abi::nr::UNLINKAT => unlinkat;
    abi::nr::UTIME => utime;
    abi::nr::UTIMENSAT => utimensat;
    abi::nr::UTIMES => utimes;
    abi::nr::WRITE => write;
    abi::nr::WRITEV => writev;
    abi::private::HALT => rump_halt;
    abi::private::IDENTIFY => rump_identify;
    abi::private::INFO => rump_info;
    abi::private::TRACE => rump_trace;
    abi::private::WATCH => rump_watch;
}
