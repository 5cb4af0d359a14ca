//! Blocks that were allocated and never written to (fallocate(2)), when their file goes.
//!
//! `rsext4` 0.9.2 gives back what is written alone. Making the file shorter gives back all, but fails where the tree of extents has nodes
//! above nodes ('extent:empty_index'); there, what is small is written to first.

use super::{Result, State, of};
use abi::Errno;
use rsext4::{DirectoryEntryType, FileExtent, FileExtentState, FileExtentTarget, InodeInfo, RangeOperation};
use vfs::Ino;

/// Extents that are asked for together.
const BATCH: usize = 256;
/// More than this is not written only to be given back.
const SMALL: u64 = 1 << 20;
/// Header and entry of a node.
const HEADER: u64 = 12;
const ENTRY: u64 = 12;

impl State {
    /// An inode without names is about to be given back.
    ///
    /// # Errors
    /// `EIO`, `EUCLEAN`.
    pub(super) fn give_back_unwritten(&mut self, ino: Ino) -> Result<()> {
        let info = self.inode(ino)?;
        if info.file_type() != DirectoryEntryType::RegularFile || info.blocks == 0 {
            return Ok(());
        }
        let extents = self.extents(&info)?;
        let unwritten = extents.iter().filter(|extent| extent.state != FileExtentState::Initialized);
        let shown: u64 = extents.iter().map(|extent| extent.length).sum();
        // The others are nodes, attributes, or what lies behind the end, which the crate does not show.
        let hidden = info.blocks.saturating_mul(512) > shown;
        if unwritten.clone().next().is_none() && !hidden {
            return Ok(());
        }
        // The inode holds four nodes, and each was half full at least when it was split.
        let in_nodes = (self.raw.block_size - HEADER) / ENTRY * 2;
        if extents.len() as u64 <= in_nodes {
            if hidden {
                // What lies behind the end (`FALLOC_FL_KEEP_SIZE`) would stay.
                match of(self.ext4.truncate_inode(info.number, self.raw.block_size << 31)) {
                    // A file of ext2's kind: nothing of it is unwritten.
                    Err(Errno::EFBIG) => return Ok(()),
                    outcome => outcome?,
                }
            }
            return of(self.ext4.truncate_inode(info.number, 0));
        }
        for extent in unwritten {
            let (at, len) = (extent.logical_start, extent.length);
            match usize::try_from(len) {
                Ok(small) if len <= SMALL => {
                    of(self.ext4.write_inode(info.number, at, &vec![0; small])).map(drop)?;
                }
                _ => of(self.ext4.operate_inode_range(info.number, at, len, RangeOperation::PunchHole))?,
            }
        }
        Ok(())
    }

    fn extents(&mut self, info: &InodeInfo) -> Result<Vec<FileExtent>> {
        let (mut found, mut at, most) = (Vec::new(), 0, i64::MAX.cast_unsigned());
        loop {
            let target = FileExtentTarget::Data;
            let map = of(self.ext4.inode_extents(info.number, at, most - at, target, BATCH))?;
            let last = map.extents.last().map(|last| last.logical_start.saturating_add(last.length));
            found.extend(map.extents);
            match last {
                Some(end) if !map.complete => at = end,
                _ => return Ok(found),
            }
        }
    }
}
