//! A file's bytes: pages on the heap, or memory that can be handed out to others, who map or read it.
//!
//! Not a memory file from birth: that would cost the server a descriptor for each file, and few files are ever mapped. One that
//! grows beyond a megabyte without holes becomes one then: to write to it takes no longer, to read it where it is half as long, and
//! to move it later more than a second for each gigabyte.

use super::heap::Heap;
use super::lent::Lent;
use super::page::PAGE;
use crate::fs::{SharedBytes, SharedMemory};
use crate::node::Time;
use abi::Errno;
use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE};

/// `MAX_LFS_FILESIZE`.
const SIZE_MAX: u64 = i64::MAX as u64;

/// A file is large from here on.
const LARGE: u64 = 1 << 20;
/// To move so much takes some milliseconds.
const MOVED_MAX: u64 = 4 << 20;

/// A file's bytes.
pub(super) enum Bytes {
    Heap(Heap),
    Shared(Lent),
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

    /// Bytes that count against the limit.
    pub(super) fn taken(&self) -> u64 {
        match self {
            Self::Heap(heap) => heap.taken(),
            Self::Shared(shared) => shared.taken(),
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
        end_of(offset, bytes.len() as u64)?;
        match self {
            Self::Heap(heap) => heap.write(offset, bytes, free),
            Self::Shared(shared) => shared.write(offset, bytes, free),
        }
    }

    pub(super) fn set_len(&mut self, size: u64, free: u64) -> Result<(), Errno> {
        end_of(size, 0)?;
        match self {
            Self::Heap(heap) => {
                heap.set_len(size);
                Ok(())
            }
            Self::Shared(shared) => shared.set_len(size, free),
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
        match self {
            Self::Heap(heap) => heap.reserve(offset, end, free)?,
            Self::Shared(shared) => shared.reserve(if keep { 0 } else { end }, free)?,
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
            Self::Shared(shared) => shared.punch(start, end),
        }
    }

    /// lseek(2) with `SEEK_DATA` or `SEEK_HOLE`.
    pub(super) fn seek(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        if offset >= self.len() {
            return Err(Errno::ENXIO);
        }
        match self {
            Self::Heap(heap) if data => heap.data(offset).ok_or(Errno::ENXIO),
            Self::Heap(heap) => Ok(heap.hole(offset)),
            Self::Shared(shared) => shared.seek(offset, data),
        }
    }

    /// Moves the bytes to memory that others can map, and answers what the server knows it by.
    pub(super) fn share(&mut self, memory: &mut dyn SharedMemory, free: u64) -> Result<u64, Errno> {
        let heap = match self {
            Self::Shared(shared) => return shared.lend(free),
            Self::Heap(heap) => heap,
        };
        if pages(heap.len()).saturating_sub(heap.taken()) > free {
            return Err(Errno::ENOMEM);
        }
        let mut shared = Lent::new(copy(heap, memory)?);
        let id = shared.lend(free)?;
        *self = Self::Shared(shared);
        Ok(id)
    }

    /// A file that has just grown to its length: moves it, if it has no holes and is not so large that others wait for long.
    pub(super) fn grown(&mut self, memory: &mut dyn SharedMemory) -> Result<(), Errno> {
        let Self::Heap(heap) = self else { return Ok(()) };
        let is_whole = heap.taken() == pages(heap.len());
        if is_whole && (LARGE..=MOVED_MAX).contains(&heap.len()) && memory.has_room() {
            *self = Self::Shared(Lent::new(copy(heap, memory)?));
        }
        Ok(())
    }
}

fn copy(heap: &Heap, memory: &mut dyn SharedMemory) -> Result<Box<dyn SharedBytes>, Errno> {
    let mut to = memory.create()?;
    for (at, bytes) in heap.pieces(0) {
        to.write_at(at, bytes)?;
    }
    to.set_len(heap.len())?;
    Ok(to)
}

/// Where a range ends, if a file can be that long.
fn end_of(offset: u64, len: u64) -> Result<u64, Errno> {
    offset.checked_add(len).filter(|end| *end <= SIZE_MAX).ok_or(Errno::EFBIG)
}

/// Bytes of the whole pages that so many bytes take.
pub(super) const fn pages(len: u64) -> u64 {
    len.next_multiple_of(PAGE as u64)
}
