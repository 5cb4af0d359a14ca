//! Memory files: the bytes of files that programs map (memfd_create(2)).

use abi::Errno;
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use vfs::{SharedBytes, SharedMemory, Time};

/// So many are made that nobody needs: each takes a descriptor.
const FILES_TO_SPARE: usize = 1024;

/// All memory files by their number. The kernel's tree holds one copy, the server another.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    files: HashMap<u64, Rc<File>>,
    by_inode: HashMap<u64, u64>,
    last: u64,
}

/// One memory file, which goes with this value.
struct MemoryFile {
    id: u64,
    inode: u64,
    file: Rc<File>,
    all: Memory,
    /// Its `st_mtime` when it was changed from here last: another one is that of a store into a mapping.
    own: Cell<Time>,
    stored: Cell<Option<Time>>,
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

    /// The number of the memory file that has this inode, as programs read it in /proc/self/maps.
    pub(crate) fn find(&self, inode: u64) -> Option<u64> {
        self.0.borrow().by_inode.get(&inode).copied()
    }
}

impl MemoryFile {
    fn mtime(&self) -> Time {
        rustix::fs::fstat(&*self.file).map_or(0, |stat| {
            stat.st_mtime.cast_unsigned().saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec)
        })
    }

    /// Makes a change, which is no program's.
    fn change<T>(&self, make: impl FnOnce(&File) -> Result<T, Errno>) -> Result<T, Errno> {
        // What was stored before is not to be forgotten.
        let _ = self.stored();
        let made = make(&self.file);
        self.own.set(self.mtime());
        made
    }
}

impl SharedMemory for Memory {
    fn has_room(&self) -> bool {
        self.0.borrow().files.len() < FILES_TO_SPARE
    }

    fn create(&mut self) -> Result<Box<dyn SharedBytes>, Errno> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("rump", flags).map_err(errno)?;
        let inode = rustix::fs::fstat(&fd).map_err(errno)?.st_ino;
        let mut table = self.0.borrow_mut();
        table.last += 1;
        let (id, file) = (table.last, Rc::new(File::from(fd)));
        table.files.insert(id, file.clone());
        table.by_inode.insert(inode, id);
        let made =
            MemoryFile { id, inode, file, all: self.clone(), own: Cell::new(0), stored: Cell::new(None) };
        made.own.set(made.mtime());
        Ok(Box::new(made))
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
        self.change(|file| file.set_len(len).map_err(|error| told(&error)))
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
        self.change(|file| rustix::fs::fallocate(file, hole, start, end - start).map_err(errno))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.change(|file| file.write_all_at(bytes, offset).map_err(|error| told(&error)))
    }

    fn stored(&self) -> Option<Time> {
        // The host's kernel notes the first store into each page of a mapping (`fault_dirty_shared_page()`).
        let now = self.mtime();
        if self.own.replace(now) != now {
            self.stored.set(Some(now));
        }
        self.stored.get()
    }

    fn forget_stored(&mut self) {
        self.own.set(self.mtime());
        self.stored.set(None);
    }

    fn seal(&mut self) -> Result<(), Errno> {
        rustix::fs::fcntl_add_seals(&*self.file, SealFlags::WRITE).map_err(errno)
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let mut table = self.all.0.borrow_mut();
        table.files.remove(&self.id);
        table.by_inode.remove(&self.inode);
    }
}

fn errno(errno: rustix::io::Errno) -> Errno {
    Errno::from_number(errno.raw_os_error())
}

fn told(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_number)
}
