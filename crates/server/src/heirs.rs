//! Where children connect whose parent has become another user or changed its root directory (setuid(2), chroot(2)): they cannot open
//! the server's socket any more.
//!
//! It is a socket in the abstract namespace (unix(7)), which has no permissions. It is there once such a process is known, and takes
//! FORK handshakes alone: their cookie proves whose child a client is, SO_PEERCRED who it is now.

use crate::socket_unsafe;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 256;

/// The socket.
pub(crate) struct Heirs(OwnedFd);

impl Heirs {
    /// That of the server at `path`.
    ///
    /// # Errors
    /// `ENAMETOOLONG`; what socket(2), bind(2) and listen(2) say: `EADDRINUSE`, somebody has taken the name.
    pub(crate) fn listen(path: &Path) -> Result<Self, Errno> {
        let name = wire::url::heirs(path.as_os_str().as_bytes()).ok_or(Errno::NAMETOOLONG)?;
        let socket = socket_unsafe::stream(AddressFamily::UNIX, SocketFlags::NONBLOCK)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new_abstract_name(&name)?)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self(socket))
    }

    /// The next connection, close-on-exec and non-blocking.
    ///
    /// # Errors
    /// As accept4(2).
    pub(crate) fn accept(&self) -> Result<OwnedFd, Errno> {
        rustix::net::accept_with(&self.0, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    }
}

impl AsFd for Heirs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
