//! A file's bytes in memory that can be lent to others, who map it or read it where it is.

use super::bytes::pages;
use super::page::PAGE;
use crate::fs::SharedBytes;
use crate::node::Time;
use abi::Errno;

/// See the module.
pub(super) struct Lent {
    bytes: Box<dyn SharedBytes>,
    /// It counts whole and shows no holes: others have it and may fill them without asking, or memory was reserved for it.
    whole: bool,
    /// Pages may be missing.
    sparse: bool,
}

impl Lent {
    /// Memory without holes, that nobody else has.
    pub(super) fn new(bytes: Box<dyn SharedBytes>) -> Self {
        Self { bytes, whole: false, sparse: false }
    }

    /// What the server knows it by, from now on lent.
    ///
    /// # Errors
    /// `ENOMEM`: it is to take more than `free` bytes more.
    pub(super) fn lend(&mut self, free: u64) -> Result<u64, Errno> {
        self.reserve(0, free).map_err(|_| Errno::ENOMEM)?;
        Ok(self.bytes.id())
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len()
    }

    /// Bytes that count against the limit.
    pub(super) fn taken(&self) -> u64 {
        if self.sparse && !self.whole { self.bytes.allocated() } else { pages(self.len()) }
    }

    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        self.bytes.read_at(offset, into)
    }

    /// Writes as much from `offset` on as `free` more bytes of memory allow.
    ///
    /// # Errors
    /// `ENOSPC`: that is nothing.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], free: u64) -> Result<usize, Errno> {
        let (len, end) = (pages(self.len()), offset + bytes.len() as u64);
        let is_next = self.whole || !self.sparse && offset <= len;
        let most = if is_next {
            len.saturating_add(free - free % PAGE as u64)
        } else {
            self.reach(offset, end, free)?
        };
        let room = usize::try_from(most.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        if bytes.is_empty() {
            return Err(Errno::ENOSPC);
        }
        self.sparse |= offset > len;
        self.bytes.write_at(offset, bytes)?;
        Ok(bytes.len())
    }

    /// How far towards `end` so many bytes of memory reach.
    fn reach(&self, offset: u64, end: u64, mut free: u64) -> Result<u64, Errno> {
        if self.missing(offset, end)? <= free {
            return Ok(end);
        }
        let mut at = offset;
        while at < end {
            let next = pages(at + 1).min(end);
            let more = self.missing(at, next)?;
            if more > free {
                break;
            }
            (at, free) = (next, free - more);
        }
        Ok(at)
    }

    /// Bytes of the pages that are missing between these offsets.
    fn missing(&self, from: u64, to: u64) -> Result<u64, Errno> {
        let (first, end) = (from - from % PAGE as u64, pages(to));
        let (mut at, mut there) = (first, 0);
        while at < end.min(self.len()) {
            let data = match self.bytes.seek(at, true) {
                Err(Errno::ENXIO) => break,
                found => found?,
            };
            if data >= end {
                break;
            }
            at = pages(self.bytes.seek(data, false)?).min(end);
            there += at.saturating_sub(data);
        }
        Ok(end - first - there)
    }

    /// Changes the size; new bytes are 0.
    ///
    /// # Errors
    /// `ENOSPC`: that would take more than `free` bytes.
    pub(super) fn set_len(&mut self, size: u64, free: u64) -> Result<(), Errno> {
        let more = pages(size).saturating_sub(pages(self.len()));
        if self.whole && more > free {
            return Err(Errno::ENOSPC);
        }
        self.sparse |= more > 0;
        self.bytes.set_len(size)
    }

    /// Makes a range zero, giving its memory back.
    pub(super) fn punch(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        self.sparse = true;
        self.bytes.punch(start, end)
    }

    /// From now on takes all the memory up to `end` that it may need.
    ///
    /// # Errors
    /// `ENOSPC`: that is more than `free` bytes more.
    pub(super) fn reserve(&mut self, end: u64, free: u64) -> Result<(), Errno> {
        if pages(self.len().max(end)).saturating_sub(self.taken()) > free {
            return Err(Errno::ENOSPC);
        }
        self.whole = true;
        Ok(())
    }

    /// lseek(2) with `SEEK_DATA` or `SEEK_HOLE`, from an offset below the length on.
    pub(super) fn seek(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        if self.sparse && !self.whole {
            return self.bytes.seek(offset, data);
        }
        Ok(if data { offset } else { self.len() })
    }

    pub(super) fn stored(&self) -> Option<Time> {
        self.bytes.stored()
    }

    pub(super) fn forget_stored(&mut self) {
        self.bytes.forget_stored();
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::Bytes;
    use super::super::heap::Heap;
    use super::*;
    use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SIZE: u64 = PAGE as u64;

    /// What a memory file of the host's is: bytes, and which of their pages are there.
    #[derive(Default)]
    struct Model(Vec<u8>, BTreeSet<u64>);

    impl SharedBytes for Model {
        fn id(&self) -> u64 {
            1
        }
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn set_len(&mut self, len: u64) -> Result<(), Errno> {
            self.0.resize(len as usize, 0);
            self.1.retain(|page| page * SIZE < len);
            Ok(())
        }
        fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
            let there = self.0.get(offset as usize..).unwrap_or_default();
            let len = there.len().min(into.len());
            into[..len].copy_from_slice(&there[..len]);
            Ok(len)
        }
        fn punch(&mut self, start: u64, end: u64) -> Result<(), Errno> {
            if start < end {
                let len = self.0.len();
                self.0[(start as usize).min(len)..(end as usize).min(len)].fill(0);
                self.1.retain(|page| !(start <= page * SIZE && (page + 1) * SIZE <= end));
            }
            Ok(())
        }
        fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
            let end = offset as usize + bytes.len();
            self.0.resize(self.0.len().max(end), 0);
            self.0[offset as usize..end].copy_from_slice(bytes);
            self.1.extend(offset / SIZE..(end as u64).div_ceil(SIZE));
            Ok(())
        }
        fn allocated(&self) -> u64 {
            self.1.len() as u64 * SIZE
        }
        fn seek(&self, offset: u64, data: bool) -> Result<u64, Errno> {
            let pages = offset / SIZE..self.len().div_ceil(SIZE);
            let found = pages.clone().find(|page| self.1.contains(page) == data);
            match found {
                Some(page) => Ok((page * SIZE).max(offset)),
                None if data => Err(Errno::ENXIO),
                None => Ok(self.len()),
            }
        }
    }

    proptest! {
        /// A file of memory that nobody else has answers everything as one of pages, limits too.
        #[test]
        fn as_pages(steps in prop::collection::vec((0..3_u8, 0_u64..60_000, 0_u64..30_000, 0_u64..8), 1..40)) {
            let mut heap = Bytes::Heap(Heap::default());
            let mut memory = Bytes::Shared(Lent::new(Box::new(Model::default())));
            for (what, one, other, free) in steps {
                let (bytes, free) = (vec![one as u8 | 1; other as usize], free * SIZE);
                let punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
                let step = |file: &mut Bytes| match what {
                    0 if bytes.is_empty() => Ok(0),
                    0 => file.write(one, &bytes, free),
                    1 => file.set_len(one, free).map(|()| 0),
                    _ => file.allocate(punch, one, other.max(1), free).map(|()| 0),
                };
                prop_assert_eq!(step(&mut heap), step(&mut memory));
                prop_assert_eq!((heap.len(), heap.taken()), (memory.len(), memory.taken()));
                let (mut found, mut expected) = (vec![0; 5000], vec![0; 5000]);
                prop_assert_eq!(heap.read(other, &mut expected), memory.read(other, &mut found));
                prop_assert_eq!(found, expected);
                for data in [false, true] {
                    prop_assert_eq!(heap.seek(other, data), memory.seek(other, data));
                }
            }
        }
    }

    #[test]
    fn what_others_have_counts_whole() {
        let mut file = Lent::new(Box::new(Model::default()));
        assert_eq!(file.write(0, &[1; PAGE], SIZE), Ok(PAGE));
        assert_eq!(file.set_len(9 * SIZE, 0), Ok(()));
        assert_eq!((file.taken(), file.seek(0, false)), (SIZE, Ok(SIZE)));
        assert_eq!(file.lend(7 * SIZE), Err(Errno::ENOMEM));
        assert_eq!(file.lend(8 * SIZE), Ok(1));
        assert_eq!((file.taken(), file.seek(0, false)), (9 * SIZE, Ok(9 * SIZE)));
        assert_eq!(file.set_len(10 * SIZE, 0), Err(Errno::ENOSPC));
    }
}
