//! Blocks that were allocated and never written to (fallocate(2)), when their file goes.
//!
//! `rsext4` 0.9.2 gives back what is written alone. Making the file shorter gives back all.

use super::{Result, State, of};
use abi::Errno;
use rsext4::{DirectoryEntryType, FileExtent, FileExtentState, FileExtentTarget, InodeInfo};
use vfs::Ino;

/// Extents that are asked for together.
const BATCH: usize = 256;
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
        let unwritten = extents.iter().any(|extent| extent.state != FileExtentState::Initialized);
        let shown: u64 = extents.iter().map(|extent| extent.length).sum();
        // The others are nodes, attributes, or what lies behind the end, which the crate does not show.
        let hidden = info.blocks.saturating_mul(512) > shown;
        // Nodes above nodes: the inode holds four nodes, and each was half full at least when it was split. Of such a tree it is not looked
        // for what lies behind the end: to make a file shorter takes far longer than to remove it.
        let is_high = extents.len() as u64 > (self.raw.block_size - HEADER) / ENTRY * 2;
        if !unwritten && (is_high || !hidden) {
            return Ok(());
        }
        if hidden {
            // What lies behind the end (`FALLOC_FL_KEEP_SIZE`) would stay.
            match of(self.ext4.truncate_inode(info.number, self.raw.block_size << 31)) {
                // A file of ext2's kind: nothing of it is unwritten.
                Err(Errno::EFBIG) => return Ok(()),
                outcome => outcome?,
            }
        }
        self.resize(ino, 0)
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
