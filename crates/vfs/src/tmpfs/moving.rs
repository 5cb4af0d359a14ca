//! Files whose bytes are on their way to memory that others can map, a part at a time: who waits for the whole of a large file at once
//! keeps everybody else waiting.

use super::heap::Heap;
use crate::fs::{SharedBytes, SharedMemory};
use crate::node::Ino;
use abi::Errno;
use foldhash::HashMap;

/// Files at once: what was copied of them takes memory twice.
const FILES_MAX: usize = 4;

/// What a read of so many bytes from shared memory saves, in quarters of a nanosecond: the call and a copy between cores (measured, from
/// 4 KiB to 128 KiB).
pub(super) const fn saved(bytes: usize) -> u64 {
    8000 + bytes as u64
}

/// What it costs to move so many bytes, in the same measure: 4.4 µs a page.
pub(super) const fn cost(bytes: u64) -> u64 {
    bytes.saturating_mul(4)
}

/// The copies, as far as they go.
#[derive(Default)]
pub(super) struct Moving(HashMap<Ino, Copy>);

struct Copy {
    to: Box<dyn SharedBytes>,
    /// What lies before this offset was copied.
    next: u64,
}

impl Moving {
    /// The file has changed, or was closed.
    pub(super) fn forget(&mut self, ino: Ino) {
        if !self.0.is_empty() {
            self.0.remove(&ino);
        }
    }

    /// Copies some `most` bytes more; answers the copy once it is whole.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: there are others on their way. As [`SharedMemory::create`].
    pub(super) fn step(
        &mut self,
        ino: Ino,
        heap: &Heap,
        memory: &mut dyn SharedMemory,
        most: u64,
    ) -> Result<Option<Box<dyn SharedBytes>>, Errno> {
        let mut copy = match self.0.remove(&ino) {
            Some(copy) => copy,
            None if self.0.len() >= FILES_MAX || !memory.has_room() => return Err(Errno::EOPNOTSUPP),
            None => {
                let mut to = memory.create()?;
                to.set_len(heap.len())?;
                Copy { to, next: 0 }
            }
        };
        let end = copy.next.saturating_add(most);
        for (at, bytes) in heap.pieces(copy.next).take_while(|(at, _)| *at < end) {
            copy.to.write_at(at, bytes)?;
            copy.next = at + bytes.len() as u64;
        }
        if copy.next == heap.len() {
            return Ok(Some(copy.to));
        }
        self.0.insert(ino, copy);
        Ok(None)
    }
}
