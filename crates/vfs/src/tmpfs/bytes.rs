//! A file's bytes: pages on the heap, or memory that others map.
//!
//! Not a memory file from birth: that would cost the server a descriptor for each file, and few files are ever mapped.

use super::heap::Heap;
use super::page::PAGE;
use crate::fs::{SharedBytes, SharedMemory};
use crate::node::Time;
use abi::Errno;
use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE};

/// `MAX_LFS_FILESIZE`.
const SIZE_MAX: u64 = i64::MAX as u64;

/// A file's bytes.
pub(super) enum Bytes {
    Heap(Heap),
    Shared(Box<dyn SharedBytes>),
}

impl Default for Bytes {
    fn default() -> Self {
        Self::Heap(Heap::default())
    }
}

impl Bytes {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Heap(heap) => heap.len(),
            Self::Shared(shared) => shared.len(),
        }
    }

    /// When a program has stored into a mapping last.
    pub(super) fn stored(&self) -> Option<Time> {
        match self {
            Self::Heap(_) => None,
            Self::Shared(shared) => shared.stored(),
        }
    }

    /// The file's times were set.
    pub(super) fn forget_stored(&mut self) {
        if let Self::Shared(shared) = self {
            shared.forget_stored();
        }
    }

    /// Whether pages of it are missing.
    pub(super) fn has_holes(&self) -> bool {
        self.taken() < pages(self.len())
    }

    /// Bytes that count against the limit. Shared memory counts whole: others may fill its holes without asking.
    pub(super) fn taken(&self) -> u64 {
        match self {
            Self::Heap(heap) => heap.taken(),
            Self::Shared(shared) => pages(shared.len()),
        }
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Heap(heap) => Ok(heap.read(offset, into)),
            Self::Shared(shared) => shared.read_at(offset, into),
        }
    }

    /// Writes as much as `free` more bytes of memory allow.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], free: u64) -> Result<usize, Errno> {
        let end = end_of(offset, bytes.len() as u64)?;
        match self {
            Self::Heap(heap) => heap.write(offset, bytes, free),
            Self::Shared(shared) => {
                room(&**shared, end, free)?;
                shared.write_at(offset, bytes)?;
                Ok(bytes.len())
            }
        }
    }

    pub(super) fn set_len(&mut self, size: u64, free: u64) -> Result<(), Errno> {
        end_of(size, 0)?;
        match self {
            Self::Heap(heap) => {
                heap.set_len(size);
                Ok(())
            }
            Self::Shared(shared) => {
                room(&**shared, size, free)?;
                shared.set_len(size)
            }
        }
    }

    /// fallocate(2).
    pub(super) fn allocate(&mut self, mode: u32, offset: u64, len: u64, free: u64) -> Result<(), Errno> {
        let keep = mode & FALLOC_FL_KEEP_SIZE != 0;
        let change = mode & !FALLOC_FL_KEEP_SIZE;
        let known = matches!((change, keep), (0 | FALLOC_FL_ZERO_RANGE, _) | (FALLOC_FL_PUNCH_HOLE, true));
        if !known {
            return Err(Errno::EOPNOTSUPP);
        }
        let end = end_of(offset, len)?;
        if change != 0 {
            self.zero(offset, end)?;
        }
        if change == FALLOC_FL_PUNCH_HOLE {
            return Ok(());
        }
        if let Self::Heap(heap) = self {
            heap.reserve(offset, end, free)?;
        }
        if !keep && end > self.len() { self.set_len(end, free) } else { Ok(()) }
    }

    /// Makes a range zero, giving its memory back where it can.
    fn zero(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        match self {
            Self::Heap(heap) => {
                heap.zero(start, end);
                Ok(())
            }
            Self::Shared(shared) => shared.punch(start, end.min(shared.len())),
        }
    }

    /// lseek(2) with `SEEK_DATA` or `SEEK_HOLE`. Shared memory is data to its end.
    pub(super) fn seek(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        if offset >= self.len() {
            return Err(Errno::ENXIO);
        }
        match self {
            Self::Heap(heap) if data => heap.data(offset).ok_or(Errno::ENXIO),
            Self::Heap(heap) => Ok(heap.hole(offset)),
            Self::Shared(shared) => Ok(if data { offset } else { shared.len() }),
        }
    }

    /// Moves the bytes to memory that others can map, and answers what the server knows it by.
    pub(super) fn share(&mut self, memory: &mut dyn SharedMemory, free: u64) -> Result<u64, Errno> {
        let heap = match self {
            Self::Shared(shared) => return Ok(shared.id()),
            Self::Heap(heap) => heap,
        };
        if pages(heap.len()).saturating_sub(heap.taken()) > free {
            return Err(Errno::ENOMEM);
        }
        let mut shared = memory.create()?;
        shared.set_len(heap.len())?;
        for (at, bytes) in heap.pieces(0) {
            shared.write_at(at, bytes)?;
        }
        let id = shared.id();
        *self = Self::Shared(shared);
        Ok(id)
    }
}

/// Where a range ends, if a file can be that long.
fn end_of(offset: u64, len: u64) -> Result<u64, Errno> {
    offset.checked_add(len).filter(|end| *end <= SIZE_MAX).ok_or(Errno::EFBIG)
}

/// Whether shared memory may grow to `size`.
fn room(shared: &dyn SharedBytes, size: u64, free: u64) -> Result<(), Errno> {
    if pages(size).saturating_sub(pages(shared.len())) > free { Err(Errno::ENOSPC) } else { Ok(()) }
}

/// Bytes of the whole pages that so many bytes take.
const fn pages(len: u64) -> u64 {
    len.next_multiple_of(PAGE as u64)
}
