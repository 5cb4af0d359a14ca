//! Memory files: the bytes of files that programs map (memfd_create(2)).

use crate::view_unsafe::View;
use abi::Errno;
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags, SeekFrom};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use vfs::{SharedBytes, SharedMemory, Time};

const PAGE: u64 = 4096;
/// Of less there is not much to read.
const VIEWED_MIN: usize = 1 << 20;
/// So many are made that nobody needs: each takes a descriptor.
const FILES_TO_SPARE: usize = 1024;

/// All memory files by their number. The kernel's tree holds one copy, the server another.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    files: HashMap<u64, Rc<Held>>,
    by_inode: HashMap<u64, u64>,
    last: u64,
}

/// One memory file, which goes with this value.
struct MemoryFile {
    id: u64,
    inode: u64,
    held: Rc<Held>,
    all: Memory,
}

/// What is known of a memory file.
struct Held {
    file: File,
    /// Its size, as long as nobody else may write it.
    len: Cell<u64>,
    /// A program may.
    given: Cell<bool>,
    /// It has no holes, which would be filled where they are mapped.
    dense: Cell<bool>,
    view: RefCell<Option<View>>,
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
        let held = table.files.get(&id).ok_or(Errno::ENODEV)?;
        if writable && !held.given.replace(true) {
            held.own.set(held.mtime());
            held.view.take();
        }
        // Opened anew: a copy would share the right to write.
        let path = format!("/proc/self/fd/{}", held.file.as_raw_fd());
        let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
        rustix::fs::open(path, access | OFlags::CLOEXEC, Mode::empty()).map_err(errno)
    }

    /// The number of the memory file that has this inode, as programs read it in /proc/self/maps.
    pub(crate) fn find(&self, inode: u64) -> Option<u64> {
        self.0.borrow().by_inode.get(&inode).copied()
    }
}

impl Held {
    fn mtime(&self) -> Time {
        rustix::fs::fstat(&self.file).map_or(0, |stat| {
            stat.st_mtime.cast_unsigned().saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec)
        })
    }

    fn stored(&self) -> Option<Time> {
        if !self.given.get() {
            return None;
        }
        // The host's kernel notes the first store into each page of a mapping (`fault_dirty_shared_page()`).
        let now = self.mtime();
        if self.own.replace(now) != now {
            self.stored.set(Some(now));
        }
        self.stored.get()
    }

    /// Reads by the mapping, if that can be had and is safe: what a program shrinks ends the server with SIGBUS.
    fn view(&self, offset: u64, into: &mut [u8]) -> Option<usize> {
        let len = usize::try_from(self.len.get()).ok()?;
        if self.given.get() || !self.dense.get() || len < VIEWED_MIN {
            return None;
        }
        let mut view = self.view.borrow_mut();
        if view.as_ref().is_none_or(|view| view.room() < len) {
            *view = Some(View::new(&self.file, len.checked_next_power_of_two()?).ok()?);
        }
        let offset = usize::try_from(offset).ok()?;
        Some(view.as_ref()?.read(len, offset, into))
    }

    /// Bytes from this offset on are written, or the end is there: whether that leaves a hole.
    fn reaches_from(&self, offset: u64) {
        if offset > self.len.get().next_multiple_of(PAGE) {
            self.dense.set(false);
        }
    }

    /// Makes a change, which is no program's.
    fn change<T>(&self, make: impl FnOnce(&File) -> Result<T, Errno>) -> Result<T, Errno> {
        // What was stored before is not to be forgotten.
        let _ = self.stored();
        let made = make(&self.file);
        if self.given.get() {
            self.own.set(self.mtime());
        }
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
        // Another user who is given it for reading could open it by /proc for writing, too.
        rustix::fs::fchmod(&fd, Mode::RUSR | Mode::WUSR).map_err(errno)?;
        let inode = rustix::fs::fstat(&fd).map_err(errno)?.st_ino;
        let mut table = self.0.borrow_mut();
        table.last += 1;
        let held = Rc::new(Held {
            file: File::from(fd),
            len: Cell::new(0),
            given: Cell::new(false),
            dense: Cell::new(true),
            view: RefCell::new(None),
            own: Cell::new(0),
            stored: Cell::new(None),
        });
        let id = table.last;
        table.files.insert(id, held.clone());
        table.by_inode.insert(inode, id);
        Ok(Box::new(MemoryFile { id, inode, held, all: self.clone() }))
    }
}

impl SharedBytes for MemoryFile {
    fn id(&self) -> u64 {
        self.id
    }

    fn len(&self) -> u64 {
        if self.held.given.get() {
            return self.held.file.metadata().map_or(0, |found| found.len());
        }
        self.held.len.get()
    }

    fn set_len(&mut self, len: u64) -> Result<(), Errno> {
        self.held.change(|file| file.set_len(len).map_err(|error| told(&error)))?;
        self.held.reaches_from(len);
        self.held.len.set(len);
        Ok(())
    }

    fn allocated(&self) -> u64 {
        rustix::fs::fstat(&self.held.file).map_or(0, |stat| stat.st_blocks.cast_unsigned() * 512)
    }

    fn seek(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        let to = if data { SeekFrom::Data(offset) } else { SeekFrom::Hole(offset) };
        rustix::fs::seek(&self.held.file, to).map_err(errno)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        if let Some(count) = self.held.view(offset, into) {
            return Ok(count);
        }
        let mut done = 0;
        while done < into.len() {
            match self.held.file.read_at(&mut into[done..], offset + done as u64) {
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
        self.held.dense.set(false);
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        self.held.change(|file| rustix::fs::fallocate(file, hole, start, end - start).map_err(errno))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.held.reaches_from(offset);
        self.held.change(|file| file.write_all_at(bytes, offset).map_err(|error| told(&error)))?;
        self.held.len.set(self.held.len.get().max(offset + bytes.len() as u64));
        Ok(())
    }

    fn stored(&self) -> Option<Time> {
        self.held.stored()
    }

    fn forget_stored(&mut self) {
        self.held.own.set(self.held.mtime());
        self.held.stored.set(None);
    }

    fn seal(&mut self) -> Result<(), Errno> {
        rustix::fs::fcntl_add_seals(&self.held.file, SealFlags::WRITE).map_err(errno)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_lengths() {
        let mut memory = Memory::default();
        let mut file = memory.create().unwrap();
        file.write_at(10, b"some").unwrap();
        assert_eq!((file.len(), file.allocated()), (14, PAGE));
        file.set_len(9 * PAGE).unwrap();
        file.write_at(4 * PAGE, &[1]).unwrap();
        assert_eq!((file.len(), file.allocated()), (9 * PAGE, 2 * PAGE));
        assert_eq!((file.seek(0, false), file.seek(PAGE, true)), (Ok(PAGE), Ok(4 * PAGE)));
        assert_eq!(file.seek(5 * PAGE, true), Err(Errno::ENXIO));
        file.punch(0, 20 * PAGE).unwrap();
        assert_eq!((file.len(), file.allocated()), (9 * PAGE, 0));
        // From now on somebody else may change it.
        let given = File::from(memory.descriptor(file.id(), true).unwrap());
        assert_eq!(file.stored(), None);
        given.set_len(3 * PAGE).unwrap();
        assert_eq!(file.len(), 3 * PAGE);
    }

    #[test]
    fn large_ones_are_read_by_a_mapping() {
        const MIB: u64 = 1 << 20;
        let mut memory = Memory::default();
        let mut file = memory.create().unwrap();
        let read = |file: &dyn SharedBytes, offset: u64| {
            let mut into = [0; 3];
            let count = file.read_at(offset, &mut into).unwrap();
            (count, into)
        };
        for part in 0..3 {
            file.write_at(part * MIB, &vec![part as u8 + 1; MIB as usize]).unwrap();
            assert_eq!(read(&*file, part * MIB + MIB - 2), (2, [part as u8 + 1, part as u8 + 1, 0]));
        }
        assert_eq!((read(&*file, MIB - 1), read(&*file, 3 * MIB)), ((3, [1, 2, 2]), (0, [0; 3])));
        file.set_len(2 * MIB - 1).unwrap();
        assert_eq!(read(&*file, 2 * MIB - 2), (1, [2, 0, 0]));
        file.write_at(2 * MIB - 1, &[9; 5]).unwrap();
        assert_eq!(read(&*file, 2 * MIB - 2), (3, [2, 9, 9]));
        // A hole is not filled by looking at it, and what others shrink is no SIGBUS.
        file.set_len(4 * MIB).unwrap();
        let before = file.allocated();
        assert_eq!((read(&*file, 3 * MIB), file.allocated()), ((3, [0; 3]), before));
        let mut other = memory.create().unwrap();
        other.write_at(0, &vec![7; 2 * MIB as usize]).unwrap();
        assert_eq!(read(&*other, MIB), (3, [7; 3]));
        File::from(memory.descriptor(other.id(), true).unwrap()).set_len(0).unwrap();
        assert_eq!(read(&*other, MIB), (0, [0; 3]));
    }

    /// Another user who has it for reading cannot open it for writing, by its name in /proc.
    #[test]
    fn it_is_the_servers() {
        let mut memory = Memory::default();
        let file = memory.create().unwrap();
        let given = memory.descriptor(file.id(), false).unwrap();
        assert_eq!(rustix::fs::fstat(&given).unwrap().st_mode & 0o777, 0o600);
        assert_eq!(rustix::io::write(&given, b"x"), Err(rustix::io::Errno::BADF));
    }
}
