//! A file's bytes: pages on the heap, or memory that others map.
//!
//! Not a memory file from birth: that would cost the server a descriptor for each file, and few files are ever mapped.

use crate::fs::{SharedBytes, SharedMemory};
use abi::Errno;
use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE};
use std::collections::BTreeMap;

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;
/// `MAX_LFS_FILESIZE`.
const SIZE_MAX: u64 = i64::MAX as u64;

type Page = Box<[u8; PAGE]>;

/// A file's bytes.
pub(super) enum Bytes {
    /// Pages by their number; one that is missing is a hole.
    Heap {
        pages: BTreeMap<u64, Page>,
        len: u64,
    },
    Shared(Box<dyn SharedBytes>),
}

impl Default for Bytes {
    fn default() -> Self {
        Self::Heap { pages: BTreeMap::new(), len: 0 }
    }
}

/// The page of an offset, and the offset in it.
fn split(offset: u64) -> (u64, usize) {
    let page = PAGE as u64;
    (offset / page, usize::try_from(offset % page).unwrap_or(0))
}

impl Bytes {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Heap { len, .. } => *len,
            Self::Shared(shared) => shared.len(),
        }
    }

    /// Bytes of memory that they take.
    pub(super) fn taken(&self) -> u64 {
        match self {
            Self::Heap { pages, .. } => (pages.len() * PAGE) as u64,
            Self::Shared(shared) => shared.len().next_multiple_of(PAGE as u64),
        }
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let Self::Heap { pages, len } = self else { return self.shared()?.read_at(offset, into) };
        let left = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let whole = into.len().min(left);
        let mut done = 0;
        while done < whole {
            let (number, start) = split(offset + done as u64);
            let piece = (PAGE - start).min(whole - done);
            let room = &mut into[done..done + piece];
            match pages.get(&number) {
                Some(page) => room.copy_from_slice(&page[start..start + piece]),
                None => room.fill(0),
            }
            done += piece;
        }
        Ok(whole)
    }

    /// Writes as much as `free` more bytes of memory allow.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], free: u64) -> Result<usize, Errno> {
        let end =
            offset.checked_add(bytes.len() as u64).filter(|end| *end <= SIZE_MAX).ok_or(Errno::EFBIG)?;
        let (pages, len) = match self {
            Self::Heap { pages, len } => (pages, len),
            Self::Shared(shared) => {
                if end.saturating_sub(shared.len()) > free {
                    return Err(Errno::ENOSPC);
                }
                shared.write_at(offset, bytes)?;
                return Ok(bytes.len());
            }
        };
        let (mut done, mut free) = (0, free / PAGE as u64);
        while done < bytes.len() {
            let (number, start) = split(offset + done as u64);
            let piece = (PAGE - start).min(bytes.len() - done);
            let page = match pages.entry(number) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) if free > 0 => {
                    free -= 1;
                    entry.insert(Box::new([0; PAGE]))
                }
                std::collections::btree_map::Entry::Vacant(_) => break,
            };
            page[start..start + piece].copy_from_slice(&bytes[done..done + piece]);
            done += piece;
        }
        if done == 0 && !bytes.is_empty() {
            return Err(Errno::ENOSPC);
        }
        *len = (*len).max(offset + done as u64);
        Ok(done)
    }

    pub(super) fn set_len(&mut self, size: u64) -> Result<(), Errno> {
        if size > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        match self {
            Self::Shared(shared) => shared.set_len(size),
            Self::Heap { pages, len } => {
                if size < *len {
                    zero(pages, size, u64::MAX);
                }
                *len = size;
                Ok(())
            }
        }
    }

    /// fallocate(2).
    pub(super) fn allocate(&mut self, mode: u32, offset: u64, len: u64, free: u64) -> Result<(), Errno> {
        let end = offset.checked_add(len).filter(|end| *end <= SIZE_MAX).ok_or(Errno::EFBIG)?;
        let keep = mode & FALLOC_FL_KEEP_SIZE != 0;
        match mode & !FALLOC_FL_KEEP_SIZE {
            0 => {}
            FALLOC_FL_PUNCH_HOLE if keep => return self.zero(offset, end.min(self.len())),
            FALLOC_FL_ZERO_RANGE => self.zero(offset, end.min(self.len()))?,
            _ => return Err(Errno::EOPNOTSUPP),
        }
        if !keep && end > self.len() {
            if end - self.len() > free {
                return Err(Errno::ENOSPC);
            }
            self.set_len(end)?;
        }
        Ok(())
    }

    /// Makes a range zero, giving its memory back where it can.
    fn zero(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        match self {
            Self::Heap { pages, .. } => {
                zero(pages, start, end);
                Ok(())
            }
            Self::Shared(shared) => {
                let zeros = [0; PAGE];
                let mut at = start;
                while at < end {
                    let piece = usize::try_from(end - at).unwrap_or(PAGE).min(PAGE);
                    shared.write_at(at, &zeros[..piece])?;
                    at += piece as u64;
                }
                Ok(())
            }
        }
    }

    pub(super) fn seek(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        if offset >= self.len() {
            return Err(Errno::ENXIO);
        }
        let Self::Heap { pages, len } = self else { return Ok(if data { offset } else { self.len() }) };
        let page = PAGE as u64;
        if data {
            let next = pages.range(offset / page..).next().map(|(number, _)| (number * page).max(offset));
            return next.filter(|at| at < len).ok_or(Errno::ENXIO);
        }
        let mut number = offset / page;
        while pages.contains_key(&number) && number * page < *len {
            number += 1;
        }
        Ok((number * page).max(offset).min(*len))
    }

    /// Moves the bytes to memory that others can map, and answers what the server knows it by.
    pub(super) fn share(&mut self, memory: &mut dyn SharedMemory) -> Result<u64, Errno> {
        if let Self::Heap { pages, len } = self {
            let mut shared = memory.create()?;
            shared.set_len(*len)?;
            for (number, page) in pages.iter() {
                let at = number * PAGE as u64;
                let inside = usize::try_from(len.saturating_sub(at)).unwrap_or(PAGE).min(PAGE);
                shared.write_at(at, &page[..inside])?;
            }
            *self = Self::Shared(shared);
        }
        Ok(self.shared()?.id())
    }

    fn shared(&self) -> Result<&dyn SharedBytes, Errno> {
        match self {
            Self::Shared(shared) => Ok(&**shared),
            Self::Heap { .. } => Err(Errno::EIO),
        }
    }
}

/// Drops the whole pages in a range and zeroes the parts of pages at its ends.
fn zero(pages: &mut BTreeMap<u64, Page>, start: u64, end: u64) {
    if start >= end {
        return;
    }
    let ((first, from), (last, to)) = (split(start), split(end));
    if first == last {
        if let Some(page) = pages.get_mut(&first) {
            page[from..to].fill(0);
        }
        return;
    }
    if from > 0
        && let Some(page) = pages.get_mut(&first)
    {
        page[from..].fill(0);
    }
    if to > 0
        && let Some(page) = pages.get_mut(&last)
    {
        page[..to].fill(0);
    }
    let whole = first + u64::from(from > 0)..last;
    let gone: Vec<u64> = pages.range(whole).map(|(number, _)| *number).collect();
    gone.iter().for_each(|number| drop(pages.remove(number)));
}
