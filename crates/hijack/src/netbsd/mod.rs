//! The names of NetBSD's C library that `vfs=` and `sysctl=` speak of (rumphijack(3)), on Linux's calls: getvfsstat(2), getfh(2),
//! fhopen(2), sysctl(3). Whose the calls are, is decided as for any other call of the program.
//!
//! A signal handler may interrupt any of this and call it again: nothing is allocated and nothing is kept.

pub mod handle;
pub mod mounts;
mod names;
pub mod statvfs;
pub mod sysctl;

use crate::world::{Args, Outcome};
use abi::raw::general::{AT_FDCWD, O_CLOEXEC};
use abi::{Errno, nr};

/// System calls as the program makes them.
pub trait Calls {
    /// Carries out one.
    ///
    /// # Errors
    /// The kernel's.
    fn call(&self, nr: u32, args: Args) -> Outcome;
}

/// A descriptor that is closed at the end.
struct Open<'a, C: Calls> {
    calls: &'a C,
    fd: u64,
}

impl<'a, C: Calls> Open<'a, C> {
    /// Opens a path, which ends with a NUL.
    fn path(calls: &'a C, path: &[u8], flags: u32) -> Result<Self, Errno> {
        if path.last() != Some(&0) {
            return Err(Errno::EINVAL);
        }
        let args = [AT_FDCWD as u64, path.as_ptr() as u64, (flags | O_CLOEXEC).into(), 0, 0, 0];
        Ok(Self { calls, fd: calls.call(nr::OPENAT, args)? })
    }

    fn read(&self, into: &mut [u8]) -> Result<usize, Errno> {
        let read =
            self.calls.call(nr::READ, [self.fd, into.as_mut_ptr() as u64, into.len() as u64, 0, 0, 0])?;
        usize::try_from(read).map_err(|_| Errno::EIO)
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Errno> {
        self.calls.call(nr::WRITE, [self.fd, bytes.as_ptr() as u64, bytes.len() as u64, 0, 0, 0]).map(drop)
    }
}

impl<C: Calls> Drop for Open<'_, C> {
    fn drop(&mut self) {
        // It was open, and nothing can be done if it does not close.
        let _ = self.calls.call(nr::CLOSE, [self.fd, 0, 0, 0, 0, 0]);
    }
}
