//! Descriptors that the user names by their number.

use rustix::io::Errno;
use std::os::fd::{BorrowedFd, RawFd};

/// The descriptor of this number, to be copied at once.
///
/// # Errors
/// `EBADF`: there is none.
pub(crate) fn borrow(fd: RawFd) -> Result<BorrowedFd<'static>, Errno> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: fcntl(2) on a number that is no descriptor only answers EBADF, and then the value is not handed out.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_getfd(borrowed)?;
    Ok(borrowed)
}
