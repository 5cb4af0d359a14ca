//! Which calls have to be looked at at all, so that the interceptor can leave the others to the host without
//! entering compiled code.

use crate::config::{Config, Vfs};
use crate::named;
use abi::nr;
use abi::raw::net::AF_INET;
use abi::table::{Route, lookup};
use intercept::Interest;

/// The interest in this call under this configuration.
#[must_use]
pub fn of(config: &Config, number: u32) -> Interest {
    let Some(row) = lookup(number) else { return Interest::Never };
    match (number, row.route) {
        // Calls with code of their own that concern one descriptor.
        (nr::CLOSE | nr::DUP, _) => Interest::IfMarked(0),
        (nr::EPOLL_CTL, _) => Interest::IfMarked(2),
        // Sets with sockets that are hung up unseen.
        (nr::EPOLL_WAIT | nr::EPOLL_PWAIT | nr::EPOLL_PWAIT2, _) => Interest::IfMarked(0),
        (nr::MMAP, _) => Interest::IfMarked(4),
        // Interfaces are asked of host sockets.
        (nr::IOCTL, _) if config.families.contains(AF_INET.into()) => Interest::IfMarkedOrSocket,
        // Rump descriptors may go over a host socket.
        (nr::RECVMSG | nr::RECVMMSG | nr::SENDMSG | nr::SENDMMSG, _) => Interest::Always,
        // Of a file of the rump kernel's.
        (nr::MSYNC, _) if !has_no_paths(config) => Interest::Always,
        // Threads may come to have descriptors of their own.
        (nr::UNSHARE, _) => Interest::Always,
        // The library's own descriptors are not shown.
        (nr::GETDENTS64, _) => Interest::Always,
        (nr::LISTMOUNT | nr::STATMOUNT, _) if !config.vfs.contains(Vfs::Getvfsstat) => Interest::Never,
        (nr::UNAME | nr::SETHOSTNAME | nr::SETDOMAINNAME, _) if !config.sysctl => Interest::Never,
        (_, Route::Host) => Interest::Never,
        (_, Route::ByFd(at)) => Interest::IfMarked(at),
        (_, Route::ByPath(_) | Route::TwoPaths { .. }) if has_no_paths(config) => Interest::Never,
        (_, Route::At { dir, .. }) if has_no_paths(config) => Interest::IfMarked(dir),
        (_, Route::ByFamily(_)) if config.families.is_empty() => Interest::Never,
        _ => Interest::Always,
    }
}

/// Without a prefix no directory of the rump kernel can be reached, so no working directory lies there.
fn has_no_paths(config: &Config) -> bool {
    config.path.is_none() && config.blankets.is_empty() && !named::any(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &str, number: u32) -> Interest {
        super::of(&Config::parse(Some(config.as_bytes())).unwrap(), number)
    }

    #[test]
    fn the_host_keeps_what_is_its_own() {
        assert_eq!(of("path=/rump", nr::GETPID), Interest::Never);
        assert_eq!(of("path=/rump", 100_000), Interest::Never);
        assert_eq!(of("path=/rump", nr::READ), Interest::IfMarked(0));
        assert_eq!(of("path=/rump", nr::OPENAT), Interest::Always);
        assert_eq!(of("socket=key", nr::OPENAT), Interest::IfMarked(0));
        assert_eq!(of("socket=key", nr::RENAME), Interest::Never);
        assert_eq!(of("socket=inet", nr::OPENAT), Interest::Always, "/proc/net");
        assert_eq!(of("socket=inet", nr::IOCTL), Interest::IfMarkedOrSocket, "if_nametoindex(3)");
        assert_eq!(of("socket=key", nr::IOCTL), Interest::IfMarked(0));
        assert_eq!(of("socket=inet", nr::SOCKET), Interest::Always);
        assert_eq!(of("path=/rump", nr::SOCKET), Interest::Never);
        assert_eq!(of("socket=inet", nr::IO_URING_SETUP), Interest::Always);
        assert_eq!(of("socket=inet", nr::EXECVE), Interest::Always);
    }
}
