//! Sockets of the server's own that `rump run --strict` lets pass: its filter is inherited by a relay that a strict program starts.

use abi::private::OWN_SOCKET;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::ffi::c_long;
use std::os::fd::{FromRawFd, OwnedFd};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// A stream socket, close-on-exec.
///
/// # Errors
/// As socket(2).
pub(crate) fn stream(family: AddressFamily, flags: SocketFlags) -> Result<OwnedFd, Errno> {
    let kind = SocketType::STREAM.as_raw() | (flags | SocketFlags::CLOEXEC).bits();
    let (number, family) = (c_long::from(abi::nr::SOCKET), c_long::from(family.as_raw()));
    let unused: c_long = 0;
    // SAFETY: socket(2) takes numbers alone. The host ignores the last one; the filter looks for it.
    let fd = unsafe { syscall(number, family, c_long::from(kind), unused, unused, unused, OWN_SOCKET) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0);
    let error = || std::io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
    // SAFETY: socket(2) has just made this descriptor, and nobody else owns it.
    fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).ok_or_else(error)
}
