//! `struct linux_dirent64` (getdents64(2)).

use crate::config::decimal;

/// Where `d_reclen` is.
const RECLEN: usize = 16;
/// Where `d_name` is.
const NAME: usize = 19;

/// One entry of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dirent<'b> {
    /// All of it.
    pub(crate) bytes: &'b [u8],
    name: &'b [u8],
}

impl Dirent<'_> {
    /// The name as a descriptor's number, as in /proc/self/fd.
    pub(crate) fn number(&self) -> Option<u32> {
        decimal(self.name)
    }
}

/// The entries of a buffer that getdents64(2) filled.
pub(crate) fn entries(mut buffer: &[u8]) -> impl Iterator<Item = Dirent<'_>> {
    core::iter::from_fn(move || {
        let length = buffer.get(RECLEN..RECLEN + 2)?.try_into().ok().map(u16::from_ne_bytes)?;
        let bytes = buffer.get(..usize::from(length))?;
        let name = bytes.get(NAME..)?.split(|&byte| byte == 0).next().unwrap_or_default();
        buffer = buffer.get(usize::from(length)..).unwrap_or_default();
        Some(Dirent { bytes, name })
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    pub(crate) fn entry(name: &[u8]) -> Vec<u8> {
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
        let buffer = [entry(b"."), entry(b".."), entry(b"0"), entry(b"1023"), entry(b"17")].concat();
        let numbers: Vec<_> = entries(&buffer).map(|entry| entry.number()).collect();
        assert_eq!(numbers, [None, None, Some(0), Some(1023), Some(17)]);
        assert_eq!(entries(&buffer).map(|entry| entry.bytes.len()).sum::<usize>(), buffer.len());
    }

    proptest! {
        #[test]
        fn any_bytes_end(buffer in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(entries(&buffer).count() <= buffer.len());
        }
    }
}
