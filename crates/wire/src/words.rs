//! Bytes in memory that another process reads or writes at the same time: atomic words, the last of which may be filled in part.

use crate::shared::{AtomicU64, Ordering};
use alloc::vec::Vec;

/// How many words so many bytes take.
#[must_use]
pub const fn count(len: usize) -> usize {
    len.div_ceil(8)
}

/// Puts bytes into words, as many as there are.
pub fn put<'a>(words: impl IntoIterator<Item = &'a AtomicU64>, bytes: &[u8]) {
    let mut chunks = bytes.chunks_exact(8);
    let mut slots = words.into_iter();
    for (chunk, slot) in chunks.by_ref().zip(slots.by_ref()) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        slot.store(u64::from_le_bytes(word), Ordering::Relaxed);
    }
    if let (rest @ [_, ..], Some(slot)) = (chunks.remainder(), slots.next()) {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        slot.store(u64::from_le_bytes(word), Ordering::Relaxed);
    }
}

/// Copies `len` bytes out of words into `into`, in the place of what was there.
pub fn get<'a>(words: impl IntoIterator<Item = &'a AtomicU64>, len: usize, into: &mut Vec<u8>) {
    into.resize(count(len) * 8, 0);
    for (chunk, word) in into.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
    }
    into.truncate(len);
}
