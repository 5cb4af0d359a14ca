//! Memory that several processes map: atomic words, since others write at any time.

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Words of memory of which only this process may change what is in them.
#[derive(Debug)]
pub(crate) struct OwnMemory {
    fd: OwnedFd,
    mapping: Mapping,
}

/// Words of memory that another process changes.
#[derive(Debug)]
pub(crate) struct PeerMemory(Mapping);

impl OwnMemory {
    /// So many words, all 0. They can neither be shrunk nor, by whoever gets the descriptor, be written.
    ///
    /// # Errors
    /// As memfd_create(2), mmap(2), `F_ADD_SEALS`.
    pub(crate) fn new(name: &str, words: usize) -> Result<Self, Errno> {
        // FUTURE_WRITE: mappings and writes from here on are refused; ours stays.
        let (fd, mapping) = sealed(name, words, SealFlags::FUTURE_WRITE)?;
        Ok(Self { fd, mapping })
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        self.mapping.words()
    }
}

impl AsFd for OwnMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PeerMemory {
    /// What another process made by [`OwnMemory::new`]. The descriptor is its word alone.
    ///
    /// # Errors
    /// `EINVAL`: not of this size, or it could be shrunk under us, and reading it would be SIGBUS. As mmap(2).
    pub(crate) fn new(fd: BorrowedFd<'_>, words: usize) -> Result<Self, Errno> {
        let sealed = rustix::fs::fcntl_get_seals(fd)?.contains(SealFlags::SHRINK);
        let size = u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0);
        if !sealed || size != (words * size_of::<AtomicU64>()) as u64 {
            return Err(Errno::INVAL);
        }
        Mapping::new(fd, words, ProtFlags::READ).map(Self)
    }

    /// To be read only: the mapping is not writable.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        self.0.words()
    }
}

/// So many words, all 0, that whoever gets the descriptor may write, but not shrink.
///
/// # Errors
/// As memfd_create(2), mmap(2), `F_ADD_SEALS`.
pub(crate) fn common_memory(name: &str, words: usize) -> Result<(OwnedFd, Mapping), Errno> {
    sealed(name, words, SealFlags::empty())
}

fn sealed(name: &str, words: usize, further: SealFlags) -> Result<(OwnedFd, Mapping), Errno> {
    let fd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&fd, (words * size_of::<AtomicU64>()) as u64)?;
    let mapping = Mapping::new(fd.as_fd(), words, ProtFlags::READ | ProtFlags::WRITE)?;
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL | further)?;
    Ok((fd, mapping))
}

/// Words of a file that is mapped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<AtomicU64>,
    words: usize,
}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, words: usize, prot: ProtFlags) -> Result<Self, Errno> {
        let len = words * size_of::<AtomicU64>();
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, prot, MapFlags::SHARED, fd, 0)? };
        let base = NonNull::new(base.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { base, words })
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has this length, is page-aligned and lives as long as `self`; the file cannot be shrunk (it is
        // sealed). Other processes change the words, which atomics allow.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let len = self.words * size_of::<AtomicU64>();
        // SAFETY: ours since `new`, and no slice of it outlives `self`.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), len) };
    }
}
