//! The descriptors that an image was started with: what they are has to be asked of each.

use super::host_unsafe;
use crate::fds::{Entry, Fds};
use abi::raw::general::{O_CLOEXEC, O_DIRECTORY, O_RDONLY};
use abi::{Errno, nr};

/// Offsets in `struct linux_dirent64` (getdents64(2)).
const RECLEN: usize = 16;
const NAME: usize = 19;

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
    let mut entries = [0u8; 2048];
    loop {
        let (address, room) = (entries.as_mut_ptr() as u64, entries.len() as u64);
        let length = host_unsafe::call(nr::GETDENTS64, [directory, address, room, 0, 0, 0])?;
        let read = usize::try_from(length).ok().and_then(|length| entries.get(..length)).unwrap_or_default();
        if read.is_empty() {
            return Ok(());
        }
        numbers(read, &mut each);
    }
}

fn numbers(mut entries: &[u8], each: &mut impl FnMut(u32)) {
    while let Some(&[low, high]) = entries.get(RECLEN..RECLEN + 2) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let name = entries.get(NAME..length).unwrap_or_default();
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        if let Some(fd) = crate::config::decimal(name) {
            each(fd);
        }
        match entries.get(length..) {
            Some(rest) if length > 0 => entries = rest,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn entry(name: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; NAME];
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let length = u16::try_from(bytes.len()).unwrap().to_ne_bytes();
        bytes[RECLEN..RECLEN + 2].copy_from_slice(&length);
        bytes
    }

    #[test]
    fn names_that_are_numbers() {
        let entries = [entry(b"."), entry(b".."), entry(b"0"), entry(b"1023"), entry(b"17")].concat();
        let mut found = Vec::new();
        numbers(&entries, &mut |fd| found.push(fd));
        assert_eq!(found, [0, 1023, 17]);
    }

    #[test]
    fn a_broken_list_ends() {
        numbers(&[0; 64], &mut |_| {});
        numbers(&entry(b"5")[..20], &mut |_| {});
    }
}
