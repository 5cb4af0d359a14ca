//! The first block of a file that has many extents stays taken.
//!
//! `rsext4` 0.9.2 forgets to tell the nodes above when an extent comes in front of all others of a tree with nodes: bytes written
//! there are lost, and the file cannot be removed ('extent:parent_key'). With a block at the file's beginning no extent can come in
//! front of all others. So a file that begins with a hole gets an unwritten one before its tree has nodes: it is a hole as before,
//! but takes a block. Where Linux has made such a tree, writing in front of it is refused.

use super::{Result, State, number, of};
use abi::Errno;
use rsext4::{FileExtent, FileExtentState, FileExtentTarget, PreallocationOptions, RangeOperation};
use vfs::{Ino, Time};

/// An inode has room for four extents; with more there are nodes.
const DEEP: usize = 5;
/// With so few a small write cannot need a node.
const FEW: usize = 2;

impl State {
    /// So many bytes are about to be taken at this offset.
    ///
    /// # Errors
    /// `EIO`: they cannot be, in front of a tree with nodes. `ENOSPC`.
    pub(super) fn anchor(&mut self, ino: Ino, offset: u64, len: u64, now: Time) -> Result<()> {
        if self.anchored.contains(&ino) {
            return Ok(());
        }
        let block = self.raw.block_size;
        let extents = self.first_extents(ino)?;
        let first = extents.first().map(|extent| extent.logical_start);
        if first == Some(0) || extents.first().is_some_and(|extent| extent.merged) {
            self.anchored.insert(ino);
            return Ok(());
        }
        if extents.len() >= DEEP {
            let in_front = first.is_some_and(|first| offset / block * block < first);
            return if in_front { Err(Errno::EIO) } else { Ok(()) };
        }
        if offset < block || extents.len() <= FEW && len <= block {
            return Ok(());
        }
        self.has_room(1)?;
        let operation = RangeOperation::Allocate(PreallocationOptions { keep_size: true });
        of(self.at(now).ext4.operate_inode_range(number(ino)?, 0, block, operation))?;
        self.anchored.insert(ino);
        Ok(())
    }

    /// A range is about to be given back (`FALLOC_FL_PUNCH_HOLE`); answers what of it is: of a tree with nodes the first block is
    /// cleared and stays.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn spare_first(&mut self, ino: Ino, offset: u64, len: u64, now: Time) -> Result<(u64, u64)> {
        let block = self.raw.block_size;
        if offset >= block {
            return Ok((offset, len));
        }
        let extents = self.first_extents(ino)?;
        let Some(first) = extents.first().filter(|first| extents.len() >= DEEP && !first.merged) else {
            self.anchored.remove(&ino);
            return Ok((offset, len));
        };
        let end = offset.saturating_add(len);
        if first.logical_start == 0 && first.state == FileExtentState::Initialized {
            let cleared = end.min(block).min(self.inode(ino)?.size).saturating_sub(offset);
            let zeroes = vec![0; usize::try_from(cleared).unwrap_or(0)];
            of(self.at(now).ext4.write_inode(number(ino)?, offset, &zeroes))?;
        }
        Ok((block, end.saturating_sub(block)))
    }

    fn first_extents(&mut self, ino: Ino) -> Result<Vec<FileExtent>> {
        let length = i64::MAX.cast_unsigned();
        Ok(of(self.ext4.inode_extents(number(ino)?, 0, length, FileExtentTarget::Data, DEEP))?.extents)
    }
}
