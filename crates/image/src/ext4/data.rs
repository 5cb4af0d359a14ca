//! The bytes of files.

use super::{Result, State, number, of};
use abi::Errno;
use abi::raw::general::{
    FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE,
};
use rsext4::{FileExtentState, FileExtentTarget, PreallocationOptions, RangeOperation, ZeroRangeOptions};
use vfs::{Ino, Time};

/// Blocks that are left for the trees of a file and of a directory.
const SPARE: u64 = 16;

impl State {
    pub(super) fn read(&mut self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        of(self.ext4.read_inode(number(ino)?, offset, into))
    }

    pub(super) fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        self.allocates()?;
        let len = self.writable(ino, offset, bytes.len())?;
        self.anchor(ino, offset, len as u64, now)?;
        self.keeping_mode(ino, now, |state| of(state.ext4.write_inode(number(ino)?, offset, &bytes[..len])))?;
        self.note(ino, |times| (times.mtime, times.ctime) = (now, now));
        self.changed();
        Ok(len)
    }

    /// How many of these bytes can be written.
    fn writable(&mut self, ino: Ino, offset: u64, len: usize) -> Result<usize> {
        let size = self.raw.block_size;
        let end = offset.checked_add(len as u64).ok_or(Errno::EFBIG)?;
        let (first, last) = (offset / size, end.div_ceil(size));
        if self.has_room(last - first).is_ok() {
            return Ok(len);
        }
        // Of a nearly full file system: up to the first block that would have to be taken.
        let begin = first * size;
        let target = FileExtentTarget::Data;
        let map = of(self.ext4.inode_extents(number(ino)?, begin, last * size - begin, target, 64))?;
        let mut known = begin;
        for extent in &map.extents {
            if extent.logical_start > known || extent.state != FileExtentState::Initialized {
                break;
            }
            known = extent.logical_start.saturating_add(extent.length);
        }
        match usize::try_from(known.min(end).saturating_sub(offset)).unwrap_or(len) {
            0 => Err(Errno::ENOSPC),
            len => Ok(len),
        }
    }

    /// That so many blocks can be taken, and some for what leads to them: the crate loses blocks when it runs out halfway (0.9.2),
    /// and e2fsck(8) complains.
    pub(super) fn has_room(&mut self, blocks: u64) -> Result<()> {
        let needed = blocks + blocks / 64 + SPARE;
        let fits = |state: &Self| state.ext4.statfs().free_blocks >= needed;
        if fits(self) || self.reclaims()? && fits(self) { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    pub(super) fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()> {
        let keep_size = mode & FALLOC_FL_KEEP_SIZE != 0;
        let operation = match mode & !FALLOC_FL_KEEP_SIZE {
            0 => RangeOperation::Allocate(PreallocationOptions { keep_size }),
            FALLOC_FL_PUNCH_HOLE => RangeOperation::PunchHole,
            FALLOC_FL_ZERO_RANGE => RangeOperation::Zero(ZeroRangeOptions { keep_size }),
            FALLOC_FL_COLLAPSE_RANGE if !keep_size => RangeOperation::Collapse,
            FALLOC_FL_INSERT_RANGE if !keep_size => RangeOperation::Insert,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        self.allocates()?;
        if mode & FALLOC_FL_PUNCH_HOLE == 0 {
            self.has_room(len.div_ceil(self.raw.block_size))?;
        }
        let (offset, len) = match operation {
            RangeOperation::Allocate(_) | RangeOperation::Zero(_) => {
                self.anchor(ino, offset, len, now)?;
                (offset, len)
            }
            RangeOperation::PunchHole => self.spare_first(ino, offset, len, now)?,
            RangeOperation::Collapse | RangeOperation::Insert => {
                self.anchored.remove(&ino);
                (offset, len)
            }
        };
        if len > 0 {
            self.keeping_mode(ino, now, |state| {
                of(state.ext4.operate_inode_range(number(ino)?, offset, len, operation))
            })?;
        }
        if !matches!(operation, RangeOperation::Allocate(_) | RangeOperation::Insert) {
            self.commits.freed(ino);
        }
        self.note(ino, |times| (times.mtime, times.ctime) = (now, now));
        self.changed();
        Ok(())
    }

    /// Makes a file longer or shorter.
    pub(super) fn resize(&mut self, ino: Ino, size: u64) -> Result<()> {
        match of(self.ext4.truncate_inode(number(ino)?, size)) {
            Err(Errno::EUCLEAN) if size < self.inode(ino)?.size => self.cut(ino, size),
            outcome => outcome,
        }
    }

    /// Makes a file shorter whose tree of extents has nodes above nodes.
    ///
    /// `rsext4` 0.9.2 cannot empty such a node ('extent:empty_index'). Where it takes bytes out of the middle of a file it makes a new tree and
    /// puts that in the place of the old one; so a block is put behind the end, and what lies in front of it is taken out.
    fn cut(&mut self, ino: Ino, size: u64) -> Result<()> {
        let (inode, block) = (number(ino)?, self.raw.block_size);
        let old = self.inode(ino)?.size;
        let (kept, end) = (size.next_multiple_of(block), old.next_multiple_of(block));
        of(self.ext4.truncate_inode(inode, end + block))?;
        let taken = of(self.ext4.operate_inode_range(inode, kept, end - kept, RangeOperation::Collapse));
        let outcome = of(self.ext4.truncate_inode(inode, if taken.is_ok() { size } else { old }));
        self.anchored.remove(&ino);
        taken.and(outcome)
    }

    pub(super) fn seek(&mut self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        let size = self.inode(ino)?.size;
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        let mut at = offset;
        while at < size {
            // As few as tell what follows: the one at this place and the next.
            let target = FileExtentTarget::Data;
            let map = of(self.ext4.inode_extents(number(ino)?, at, size - at, target, 16))?;
            let written = map.extents.iter().filter(|extent| extent.state == FileExtentState::Initialized);
            let mut hole = at;
            for extent in written {
                let end = extent.logical_start.saturating_add(extent.length);
                match data {
                    true if end > at => return Ok(extent.logical_start.max(at)),
                    false if extent.logical_start > hole => return Ok(hole),
                    _ => hole = hole.max(end),
                }
            }
            match (data, map.complete || map.extents.is_empty()) {
                (true, true) => return Err(Errno::ENXIO),
                (false, true) => return Ok(hole.min(size)),
                (true, false) | (false, false) => {
                    let last =
                        map.extents.iter().map(|extent| extent.logical_start.saturating_add(extent.length));
                    at = last.max().unwrap_or(size).max(at + 1);
                }
            }
        }
        if data { Err(Errno::ENXIO) } else { Ok(size) }
    }
}
