//! Memory files: the bytes of files that programs map (memfd_create(2)).

use abi::Errno;
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use vfs::{SharedBytes, SharedMemory};

/// All memory files by their number. The kernel's tree holds one copy, the server another.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    files: HashMap<u64, Rc<File>>,
    last: u64,
}

/// One memory file, which goes with this value.
struct MemoryFile {
    id: u64,
    file: Rc<File>,
    all: Memory,
}

impl Memory {
    /// A descriptor to be passed to a program: for reading only unless `writable`.
    ///
    /// # Errors
    /// `ENODEV`: it is gone; the host's.
    pub(crate) fn descriptor(&self, id: u64, writable: bool) -> Result<OwnedFd, Errno> {
        let table = self.0.borrow();
        let file = table.files.get(&id).ok_or(Errno::ENODEV)?;
        // Opened anew: a copy would share the right to write.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
        rustix::fs::open(path, access | OFlags::CLOEXEC, Mode::empty()).map_err(errno)
    }
}

impl SharedMemory for Memory {
    fn create(&mut self) -> Result<Box<dyn SharedBytes>, Errno> {
        let fd = rustix::fs::memfd_create("rump", MemfdFlags::CLOEXEC).map_err(errno)?;
        let mut table = self.0.borrow_mut();
        table.last += 1;
        let (id, file) = (table.last, Rc::new(File::from(fd)));
        table.files.insert(id, file.clone());
        Ok(Box::new(MemoryFile { id, file, all: self.clone() }))
    }
}

impl SharedBytes for MemoryFile {
    fn id(&self) -> u64 {
        self.id
    }

    fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.len())
    }

    fn set_len(&mut self, len: u64) -> Result<(), Errno> {
        self.file.set_len(len).map_err(|error| told(&error))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(now) => done += now,
                Err(error) => return Err(told(&error)),
            }
        }
        Ok(done)
    }

    fn punch(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        if start >= end {
            return Ok(());
        }
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&*self.file, hole, start, end - start).map_err(errno)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.file.write_all_at(bytes, offset).map_err(|error| told(&error))
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.all.0.borrow_mut().files.remove(&self.id);
    }
}

fn errno(errno: rustix::io::Errno) -> Errno {
    Errno::from_number(errno.raw_os_error())
}

fn told(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_number)
}
