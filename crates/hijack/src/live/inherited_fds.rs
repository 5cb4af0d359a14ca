//! The descriptors that an image was started with: what they are has to be asked of each.

use super::host_unsafe;
use crate::dirent::entries;
use crate::fds::{Entry, Fds};
use abi::raw::general::{O_CLOEXEC, O_DIRECTORY, O_RDONLY};
use abi::{Errno, nr};

/// Marks every open descriptor as unknown.
///
/// # Errors
/// The host's: /proc is not there, or `EMFILE`.
pub(super) fn mark_unknown(fds: &Fds) -> Result<(), Errno> {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    let path = c"/proc/self/fd".as_ptr() as u64;
    let directory = host_unsafe::call(nr::OPEN, [path, flags.into(), 0, 0, 0, 0])?;
    let answer = read_all(directory, |fd| {
        if u64::from(fd) != directory && fds.get(fd) == Entry::Host {
            fds.set(fd, Entry::Unknown);
        }
    });
    host_unsafe::call(nr::CLOSE, [directory, 0, 0, 0, 0, 0])?;
    answer
}

fn read_all(directory: u64, mut each: impl FnMut(u32)) -> Result<(), Errno> {
    let mut buffer = [0u8; 2048];
    loop {
        let (address, room) = (buffer.as_mut_ptr() as u64, buffer.len() as u64);
        let length = host_unsafe::call(nr::GETDENTS64, [directory, address, room, 0, 0, 0])?;
        let read = usize::try_from(length).ok().and_then(|length| buffer.get(..length)).unwrap_or_default();
        if read.is_empty() {
            return Ok(());
        }
        entries(read).filter_map(|entry| entry.number()).for_each(&mut each);
    }
}
