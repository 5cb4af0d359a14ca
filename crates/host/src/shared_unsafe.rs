//! Memory that another process writes at any time.

use crate::{Fd, fcntl, syscall};
use abi::raw::general::{
    F_GET_SEALS, F_SEAL_SHRINK, MADV_DONTFORK, MAP_SHARED, PROT_READ, PROT_WRITE, SEEK_END,
};
use abi::{Errno, nr};
use core::ptr::NonNull;
use core::sync::atomic::AtomicU64;

/// A mapping of so many words, gone with this value and not inherited by children.
#[derive(Debug)]
pub struct SharedWords {
    base: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: atomics behind a pointer that only this value owns.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps the first `words` words of a memory file.
    ///
    /// # Errors
    /// `EINVAL`: it has not as many, or could be shrunk under us, and a look at it would be SIGBUS. As mmap(2).
    pub fn map(file: &Fd, words: usize) -> Result<Self, Errno> {
        let len = words * size_of::<AtomicU64>();
        let fd = file.number() as usize;
        let seals = fcntl(file.number(), F_GET_SEALS, 0)?;
        // SAFETY: touches no memory.
        let size = Errno::from_rax(unsafe { syscall(nr::LSEEK, [fd, 0, SEEK_END as usize, 0, 0, 0]) })?;
        if seals & F_SEAL_SHRINK as usize == 0 || size < len {
            return Err(Errno::EINVAL);
        }
        let prot = (PROT_READ | PROT_WRITE) as usize;
        // SAFETY: the kernel chooses a range that nobody uses.
        let base = unsafe { syscall(nr::MMAP, [0, len, prot, MAP_SHARED as usize, fd, 0]) };
        let base = Errno::from_rax(base)?;
        // A child has its own connection. One that shares this memory has the mapping as well.
        // SAFETY: the range is this mapping.
        let _ = unsafe { syscall(nr::MADVISE, [base, len, MADV_DONTFORK as usize, 0, 0, 0]) };
        let base = NonNull::new(base as *mut AtomicU64).ok_or(Errno::ENOMEM)?;
        Ok(Self { base, words })
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has this length, is aligned to pages and lives as long as `self`; its file cannot be shrunk.
        // Another process changes the words, which atomics allow.
        unsafe { core::slice::from_raw_parts(self.base.as_ptr(), self.words) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        let len = self.words * size_of::<AtomicU64>();
        // SAFETY: ours since `map`, and no slice of it outlives `self`.
        let _ = unsafe { syscall(nr::MUNMAP, [self.base.as_ptr() as usize, len, 0, 0, 0, 0]) };
    }
}
