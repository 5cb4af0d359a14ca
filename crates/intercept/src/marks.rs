//! Which descriptors have to be looked at. Trampolines test this before any compiled code runs.

use core::sync::atomic::{AtomicU8, Ordering};

/// Numbers from here on are always looked at. A stock Linux hands out none (`fs.nr_open`).
pub const MARKS: usize = 1 << 20;

/// A byte each: bits would need a locked instruction to be written. Pages that nobody touches cost nothing.
pub(crate) static TABLE: [AtomicU8; MARKS] = [const { AtomicU8::new(0) }; MARKS];

/// Marks a descriptor, or removes its mark.
pub fn set(fd: u32, marked: bool) {
    if let Some(mark) = TABLE.get(fd as usize) {
        mark.store(u8::from(marked), Ordering::Release);
    }
}

/// Whether a descriptor is marked.
#[must_use]
pub fn is_set(fd: u32) -> bool {
    TABLE.get(fd as usize).is_none_or(|mark| mark.load(Ordering::Acquire) != 0)
}
