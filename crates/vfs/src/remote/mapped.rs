//! Files whose bytes programs map: they are moved to memory that can be passed, and written back from there.
//!
//! What a program stores into a mapping nobody is told of. So at fsync(2) and msync(2), and when the file is closed and unmapped for the
//! last time, pages are compared with what they were, by a hash, and those that have changed are written.

use super::WAITS;
use super::exchange::What;
use super::op::{Op, Value};
use super::proxy::Remote;
use crate::fs::{FileSystem, SharedBytes, SharedMemory};
use crate::node::{Attr, Ino, Time};
use abi::Errno;
use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE};
use std::hash::{DefaultHasher, Hasher};

/// The largest file that can be mapped.
const SIZE_MAX: u64 = 1 << 30;
const PAGE: usize = 4096;
/// No page's hash, but by an unlikely chance.
const UNKNOWN: u64 = 0;

/// A file's bytes in memory.
pub(super) struct Mapped {
    pub(super) bytes: Box<dyn SharedBytes>,
    /// How many there are: programs could make their memory longer.
    len: u64,
    /// Of each page as the worker has it.
    hashes: Vec<u64>,
    /// When the file was changed last before it was moved here.
    mtime: Time,
}

impl Mapped {
    fn new(mut bytes: Box<dyn SharedBytes>, contents: &[u8], mtime: Time) -> Result<Self, Errno> {
        let len = contents.len() as u64;
        bytes.set_len(len)?;
        bytes.write_at(0, contents)?;
        Ok(Self { bytes, len, hashes: contents.chunks(PAGE).map(hash).collect(), mtime })
    }

    /// Writes what the worker is told of as well.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.bytes.write_at(offset, bytes)?;
        let end = offset.saturating_add(bytes.len() as u64);
        self.disown(offset, end);
        self.len = self.len.max(end);
        Ok(())
    }

    /// The worker has these bytes otherwise than when their pages were looked at last.
    fn disown(&mut self, start: u64, end: u64) {
        let page = |offset: u64| usize::try_from(offset / PAGE as u64).unwrap_or(usize::MAX);
        let known = self.hashes.iter_mut().enumerate().skip(page(start));
        known.take_while(|(number, _)| *number <= page(end)).for_each(|(_, hash)| *hash = UNKNOWN);
    }

    pub(super) fn set_len(&mut self, size: u64) -> Result<(), Errno> {
        self.bytes.set_len(size)?;
        self.disown(size.min(self.len), u64::MAX);
        self.len = size;
        Ok(())
    }

    /// fallocate(2) was carried out by the worker, which had all bytes.
    pub(super) fn allocate(&mut self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        let end = offset.saturating_add(len);
        if mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) != 0 {
            self.bytes.punch(offset.min(self.len), end.min(self.len))?;
            self.disown(offset, end);
        }
        if mode & FALLOC_FL_KEEP_SIZE == 0 && end > self.len {
            self.set_len(end)?;
        }
        Ok(())
    }

    /// Pages that the worker has otherwise, as (offset, bytes); from now on it has them so.
    fn take_changed(&mut self) -> Vec<(u64, Vec<u8>)> {
        let mut changed = Vec::new();
        // A mapping does not reach farther than the file did when it was moved here.
        let len = usize::try_from(self.len.min(SIZE_MAX)).unwrap_or(0);
        self.hashes.resize(len.div_ceil(PAGE), UNKNOWN);
        for (number, known) in self.hashes.iter_mut().enumerate() {
            let offset = (number * PAGE) as u64;
            let mut page = vec![0; PAGE];
            let Ok(read) = self.bytes.read_at(offset, &mut page) else { continue };
            page.truncate(read.min(len - number * PAGE));
            let now = hash(&page);
            if std::mem::replace(known, now) != now {
                changed.push((offset, page));
            }
        }
        changed
    }
}

fn hash(page: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(page);
    hasher.finish()
}

impl Remote {
    /// Moves a file's bytes to memory that can be mapped; answers its number.
    pub(super) fn map(&mut self, ino: Ino, memory: &mut dyn SharedMemory) -> Result<u64, Errno> {
        if let Some(mapped) = self.mapped.get(&ino) {
            return Ok(mapped.bytes.id());
        }
        let node = self.node(ino)?;
        let (size, mtime) = (node.attr.size, node.attr.mtime);
        if size > SIZE_MAX {
            return Err(Errno::ENOMEM);
        }
        let len = usize::try_from(size).map_err(|_| Errno::ENOMEM)?;
        let key = self.key_of(What::Read, ino, ("all", size));
        let answer = self.ask(key, |_| None, |_| Op::Read { ino, offset: 0, len }, |_, _, _| {});
        match answer {
            Err(WAITS) => self.mapping.insert(ino),
            _ => self.mapping.remove(&ino),
        };
        let Value::Bytes(contents) = answer? else { return Err(Errno::EIO) };
        let mapped = Mapped::new(memory.create()?, &contents, mtime)?;
        let id = mapped.bytes.id();
        self.mapped.insert(ino, mapped);
        self.pages.borrow_mut().forget(ino);
        Ok(id)
    }

    /// What is known of an inode, with the time of stores into its mappings.
    pub(super) fn with_stored(&self, attr: &Attr) -> Attr {
        let stored = self.mapped.get(&attr.ino).and_then(|mapped| mapped.bytes.stored()).unwrap_or(0);
        Attr { mtime: attr.mtime.max(stored), ctime: attr.ctime.max(stored), ..attr.clone() }
    }

    /// Has written what programs have stored into a file's mappings. Of stores into pages that had been stored into before the time is
    /// not known: it is `now`, if that is given.
    pub(super) fn write_back_of(&mut self, ino: Ino, now: Option<Time>) {
        let Some(mapped) = self.mapped.get_mut(&ino) else { return };
        // Not known: somebody has changed it, and its time, a moment ago.
        let mtime = self.cache.borrow().node(ino).map_or(mapped.mtime, |node| node.attr.mtime);
        let stored = mapped.bytes.stored().filter(|stored| *stored > mtime);
        let now = stored.or(now).unwrap_or(mtime);
        for (offset, bytes) in mapped.take_changed() {
            if !bytes.is_empty() {
                let op = Op::Write { ino, offset, bytes, now };
                let (mut exchange, mut cache) = (self.exchange.borrow_mut(), self.cache.borrow_mut());
                exchange.post_unlogged(self.worker, op);
                cache.unsettle(ino);
                cache.mark(ino, exchange.now());
            }
        }
    }

    /// Has the worker sync what it was told of.
    pub(super) fn ask_sync(&self, ino: Option<Ino>) -> Result<(), Errno> {
        self.ask(self.key(What::Sync, ino.unwrap_or(0)), |_| None, |_| Op::Sync(ino), |_, _, _| {})?;
        self.exchange.borrow_mut().take_failure(self.worker).map_or(Ok(()), Err)
    }

    pub(super) fn write_back_all(&mut self) {
        let mapped: Vec<Ino> = self.mapped.keys().copied().collect();
        mapped.into_iter().for_each(|ino| self.write_back_of(ino, None));
    }

    /// Whether programs have a file mapped that they have closed: what they store into it is to reach it all the same, so the mapping
    /// holds the inode until [`Remote::let_go_of_kept`] finds that it is gone.
    pub(super) fn is_still_mapped(&mut self, ino: Ino) -> bool {
        let is = self.mapped.get_mut(&ino).is_some_and(|mapped| mapped.bytes.seal() == Err(Errno::EBUSY));
        if is {
            self.kept.insert(ino)
        } else {
            self.kept.remove(&ino)
        };
        is
    }

    /// Closes those whose mappings are gone; whether some are left, or may become such.
    pub(super) fn let_go_of_kept(&mut self) -> bool {
        let alone = self.kept.iter().copied().filter(|ino| self.holders.get(ino) == Some(&1));
        for ino in alone.collect::<Vec<_>>() {
            self.hold(ino, false);
        }
        !self.mapped.is_empty()
    }

    /// Nobody has the file open any more.
    pub(super) fn unmap(&mut self, ino: Ino) {
        self.write_back_of(ino, None);
        self.mapping.remove(&ino);
        if self.mapped.remove(&ino).is_some() {
            self.pages.borrow_mut().forget(ino);
        }
    }
}
