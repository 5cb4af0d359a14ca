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
    abi::nr::BIND => bind;
    abi::nr::CLOSE => close;
    abi::nr::CLOSE_RANGE => close_range;
    abi::nr::CONNECT => connect;
    abi::nr::DUP => dup;
    abi::nr::DUP2 => dup2;
    abi::nr::DUP3 => dup3;
    abi::nr::FCNTL => fcntl;
    abi::nr::FSTAT => fstat;
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
    abi::nr::LISTEN => listen;
    abi::nr::PIPE => pipe;
    abi::nr::PIPE2 => pipe2;
    abi::nr::POLL => poll;
    abi::nr::PPOLL => ppoll;
    abi::nr::READ => read;
    abi::nr::READV => readv;
    abi::nr::RECVFROM => recvfrom;
    abi::nr::RECVMMSG => recvmmsg;
    abi::nr::RECVMSG => recvmsg;
    abi::nr::SENDMMSG => sendmmsg;
    abi::nr::SENDMSG => sendmsg;
    abi::nr::SENDTO => sendto;
    abi::nr::SETSOCKOPT => setsockopt;
    abi::nr::SHUTDOWN => shutdown;
    abi::nr::SOCKET => socket;
    abi::nr::SOCKETPAIR => socketpair;
    abi::nr::UMASK => umask;
    abi::nr::WRITE => write;
    abi::nr::WRITEV => writev;
    abi::private::HALT => rump_halt;
    abi::private::IDENTIFY => rump_identify;
    abi::private::INFO => rump_info;
    abi::private::TRACE => rump_trace;
    abi::private::WATCH => rump_watch;
}
