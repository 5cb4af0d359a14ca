//! Direct reads: a file of one process that is read again and again, and that the rump kernel keeps in memory, is read where it is.
//!
//! The rump kernel hands its memory file out, and read(2), pread(2) and lseek(2) go to that, at the host's speed. It lies at a number of
//! the library's own; the program's number stays what it was. Meanwhile the position is the memory file's, so every other call that
//! is made with the file ends this first. Only a process of one thread reads so: nobody else is in the middle of a read when it ends.

use crate::Hijack;
use crate::dispatch::{Answer, Call, Verdict, row_of, with};
use crate::fds::{Entry, Kind, RumpFd};
use crate::world::World;
use abi::raw::general::{SEEK_CUR, SEEK_END, SEEK_SET};
use abi::{Errno, nr, private};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// So many reads do not come.
const NEVER: u32 = u32::MAX;
/// Files at once.
const FILES: usize = 8;
/// A program that has read a file so often reads more: to begin costs as much as some reads.
const WORTHWHILE: u32 = 32;

/// Which file: its session and its descriptor there.
type Key = u64;
/// No file's.
const NOBODY: Key = Key::MAX;

const fn key(rump: RumpFd) -> Key {
    (rump.generation as Key) << 32 | rump.kernel_fd.0 as Key
}

/// A file that is read directly, and the number of the memory file.
struct Slot {
    key: AtomicU64,
    own: AtomicU32,
}

/// Those that are read directly, and the one that may be next.
pub(crate) struct Direct {
    slots: [Slot; FILES],
    used: AtomicU32,
    /// The file that was read last, and how often in a row.
    last: AtomicU64,
    reads: AtomicU32,
    /// Behind so many of these to begin.
    due: AtomicU32,
}

impl Direct {
    pub(crate) const fn new() -> Self {
        Self {
            slots: [const { Slot { key: AtomicU64::new(NOBODY), own: AtomicU32::new(0) } }; FILES],
            used: AtomicU32::new(0),
            last: AtomicU64::new(NOBODY),
            reads: AtomicU32::new(0),
            due: AtomicU32::new(WORTHWHILE),
        }
    }

    /// Whether any file is.
    fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) != 0
    }

    fn find(&self, key: Key) -> Option<&Slot> {
        if !self.is_used() {
            return None;
        }
        self.slots.iter().find(|slot| slot.key.load(Ordering::Relaxed) == key)
    }

    fn enter(&self, key: Key, own: u32) -> Result<(), Errno> {
        let mut slots = self.slots.iter();
        let free = slots.find(|slot| slot.key.load(Ordering::Relaxed) == NOBODY).ok_or(Errno::EMFILE)?;
        free.own.store(own, Ordering::Relaxed);
        free.key.store(key, Ordering::Relaxed);
        self.used.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Frees the slot of this file; answers the memory file that was in it.
    fn take(&self, key: Key) -> Option<u32> {
        let slot = self.find(key).filter(|_| key != NOBODY)?;
        slot.key.store(NOBODY, Ordering::Relaxed);
        self.used.fetch_sub(1, Ordering::Relaxed);
        Some(slot.own.load(Ordering::Relaxed))
    }

    /// Another read; whether it is the one behind which to begin.
    fn counts(&self, key: Key) -> bool {
        if self.last.swap(key, Ordering::Relaxed) != key {
            self.reads.store(0, Ordering::Relaxed);
            self.wait_for(WORTHWHILE);
        }
        let reads = self.reads.load(Ordering::Relaxed).saturating_add(1);
        self.reads.store(reads, Ordering::Relaxed);
        reads == self.due.load(Ordering::Relaxed)
    }

    /// So many reads more are to be calls.
    fn wait_for(&self, reads: u32) {
        self.due.store(self.reads.load(Ordering::Relaxed).saturating_add(reads), Ordering::Relaxed);
    }
}

/// Whether a call with a descriptor neither uses nor moves the file's position.
pub(crate) const fn leaves_position(number: u32) -> bool {
    matches!(
        number,
        nr::FSTAT | nr::FSTATFS | nr::FADVISE64 | nr::FSYNC | nr::FDATASYNC | nr::FGETXATTR | nr::FLOCK
    )
}

impl<W: World> Hijack<W> {
    /// Carries a call out where the file is read directly.
    pub(crate) fn directly(&self, call: &Call, fd: u64) -> Option<Verdict> {
        let Entry::Rump(rump) = self.direct.is_used().then(|| self.entry(fd as u32))? else { return None };
        let slot = self.direct.find(key(rump))?;
        let here = match call.nr {
            nr::READ | nr::PREAD64 | nr::READV | nr::PREADV => true,
            nr::LSEEK => matches!(call.args[2] as u32, SEEK_SET | SEEK_CUR | SEEK_END),
            _ => false,
        };
        if !here || rump.generation != self.world.generation() || self.world.in_vfork_child() {
            return None;
        }
        let own = slot.own.load(Ordering::Relaxed);
        Some(self.world.host(call.nr, with(call.args, 0, own.into())).map(Answer::Value))
    }

    /// A lone file was read by a call.
    pub(crate) fn count_read(&self, rump: RumpFd) {
        if rump.kind == Kind::Regular && self.may_read_directly() && self.direct.counts(key(rump)) {
            let again = match self.begin_direct(rump) {
                Err(Errno::EINPROGRESS) => 1,
                Err(Errno::EBUSY) => self.direct.reads.load(Ordering::Relaxed),
                Ok(()) | Err(_) => NEVER,
            };
            self.direct.wait_for(again);
        }
    }

    fn may_read_directly(&self) -> bool {
        !self.has_threads.load(Ordering::Relaxed) && !self.world.in_vfork_child() && !self.fds.is_doubted()
    }

    fn begin_direct(&self, rump: RumpFd) -> Result<(), Errno> {
        let args = [rump.kernel_fd.0.into(), 0, 0, 0, 0, 0];
        let reply = self.world.rump(row_of(private::DIRECT)?, args, &[])?;
        let position = reply.result?;
        let arrived = reply.host_fd().ok_or(Errno::EMFILE)?;
        let own = self.out_of_the_way(arrived);
        let placed = self.world.host(nr::LSEEK, [own.into(), position, SEEK_SET.into(), 0, 0, 0]);
        if let Err(errno) = placed.and_then(|_| self.direct.enter(key(rump), own)) {
            self.close_quietly(own);
            return Err(errno);
        }
        self.learn(own, Entry::Own);
        Ok(())
    }

    /// From now on the file is read by calls again, and the rump kernel knows the position.
    pub(crate) fn end_direct(&self, rump: RumpFd) {
        if self.direct.is_used() && !self.world.in_vfork_child() {
            self.end(key(rump));
        }
    }

    /// As [`Hijack::end_direct`], of the file whose memory file has this number, if that is one's.
    pub(crate) fn end_direct_at(&self, own: u32) -> bool {
        let keys = self.direct.slots.iter().map(|slot| (slot.key.load(Ordering::Relaxed), slot));
        let mut used = keys.filter(|(key, _)| *key != NOBODY);
        let found = used.find(|(_, slot)| slot.own.load(Ordering::Relaxed) == own);
        found.is_some_and(|(key, _)| {
            self.end(key);
            true
        })
    }

    /// As [`Hijack::end_direct`], of all files.
    pub(crate) fn end_direct_of_all(&self) {
        if self.direct.is_used() && !self.world.in_vfork_child() {
            self.direct.slots.iter().for_each(|slot| self.end(slot.key.load(Ordering::Relaxed)));
        }
    }

    fn end(&self, key: Key) {
        let Some(own) = self.direct.take(key) else { return };
        self.direct.wait_for(WORTHWHILE);
        let position = self.world.host(nr::LSEEK, [own.into(), 0, SEEK_CUR.into(), 0, 0, 0]);
        self.forget_own(own);
        let (generation, kernel_fd) = (key >> 32, key & u64::from(u32::MAX));
        if generation != u64::from(self.world.generation()) {
            // In the next session the number is another file's.
            return;
        }
        if let (Ok(position), Ok(row)) = (position, row_of(nr::LSEEK)) {
            let _ = self.rump(row, [kernel_fd, position, SEEK_SET.into(), 0, 0, 0]);
        }
    }

    /// The file was closed.
    pub(crate) fn drop_direct(&self, rump: RumpFd) {
        if let Some(own) = self.direct.take(key(rump)) {
            self.forget_own(own);
        }
    }

    fn forget_own(&self, own: u32) {
        self.close_quietly(own);
        self.learn(own, Entry::Host);
    }
}
