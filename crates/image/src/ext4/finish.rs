//! What `rsext4` 0.9.2 leaves undone, done before a file system is handed back, when all is in its place on the disk.
//!
//! It forgets the blocks of the extent tree itself when a directory grows beyond four extents
//! (`append_directory_block` overwrites what `insert_extent` has counted), and e2fsck(8) then says 'i_blocks is 28, should be 32'.
//! The directories that names were entered into are counted and put right; all of them if the server was killed.
//!
//! It also makes the inode bitmap of a group that had none yet without ones behind its end ('Padding at end of inode bitmap is not
//! set'). They are set; the bitmap's checksum does not cover them.

use super::raw::{Raw, u16_at, u32_at};
use abi::Errno;
use rsext4::crc32c::crc32c::crc32c_append;

/// `bg_flags` of a group's descriptor, and `EXT4_BG_INODE_UNINIT`.
const FLAGS: usize = 0x12;
const INODE_UNINIT: u16 = 1;
/// `bg_itable_unused`, and its upper half.
const UNUSED_LO: usize = 0x1c;
const UNUSED_HI: usize = 0x32;
/// `S_IFMT`, `S_IFDIR`
const TYPE: u16 = 0xf000;
const DIRECTORY: u16 = 0x4000;
/// Inodes that are read at a time.
const BATCH: u32 = 256;
const EXTENTS_FL: u32 = 0x8_0000;
const HUGE_FILE_FL: u32 = 0x4_0000;
const EXTENT_MAGIC: u16 = 0xf30a;
/// Longer ones are unwritten, by so much more (`EXT_INIT_MAX_LEN`).
const WRITTEN_MAX: u32 = 32768;
const HEADER: usize = 12;
const ENTRY: usize = 12;
/// `EXT4_MAX_EXTENT_DEPTH`
const DEPTH_MAX: u16 = 5;
const BLOCKS_LO: usize = 0x1c;
const BLOCK: usize = 0x28;
const BLOCK_LEN: usize = 60;
const CHECKSUM_LO: usize = 0x7c;
const CHECKSUM_HI: usize = 0x82;

impl Raw {
    /// Puts the number of blocks in an inode right.
    ///
    /// # Errors
    /// `EUCLEAN`: the inode is not in order otherwise, and is left as it is. `EIO`.
    pub(super) fn recount(&self, ino: u32) -> Result<(), Errno> {
        let (mut inode, place) = self.inode(ino)?;
        let flags = u32_at(&inode, 0x20);
        if flags & EXTENTS_FL == 0 || flags & HUGE_FILE_FL != 0 {
            return Ok(());
        }
        if self.checksums && self.checksum(&inode, ino) != stored(&inode) {
            return Err(Errno::EUCLEAN);
        }
        let attributes = u64::from(u32_at(&inode, 0x68) != 0 || u16_at(&inode, 0x76) != 0);
        let blocks = self.count(&inode[BLOCK..BLOCK + BLOCK_LEN], DEPTH_MAX)? + attributes;
        let sectors = u32::try_from(blocks * (self.block_size / 512)).map_err(|_| Errno::EUCLEAN)?;
        if u32_at(&inode, BLOCKS_LO) == sectors || u16_at(&inode, 0x74) != 0 {
            return Ok(());
        }
        inode[BLOCKS_LO..BLOCKS_LO + 4].copy_from_slice(&sectors.to_le_bytes());
        if self.checksums {
            let checksum = self.checksum(&inode, ino).to_le_bytes();
            inode[CHECKSUM_LO..CHECKSUM_LO + 2].copy_from_slice(&checksum[..2]);
            if has_high_half(&inode) {
                inode[CHECKSUM_HI..CHECKSUM_HI + 2].copy_from_slice(&checksum[2..]);
            }
        }
        self.disk.write_at(&inode, place)
    }

    /// Puts right what a server that was killed can have left undone anywhere.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn finish_all(&self) -> Result<(), Errno> {
        // Where the descriptors do not lie together e2fsck(8) has to.
        for group in 0..self.groups {
            let Ok(descriptor) = self.descriptor(group) else { return Ok(()) };
            if u16_at(&descriptor, FLAGS) & INODE_UNINIT == 0 {
                self.pad_bitmap(group)?;
                self.recount_group(group, &descriptor)?;
            }
        }
        self.disk.sync()
    }

    /// Counts the blocks of a group's directories.
    fn recount_group(&self, group: u32, descriptor: &[u8]) -> Result<(), Errno> {
        let high = if descriptor.len() >= 64 { u32::from(u16_at(descriptor, UNUSED_HI)) << 16 } else { 0 };
        let unused = u32::from(u16_at(descriptor, UNUSED_LO)) | high;
        let used = self.inodes_per_group.saturating_sub(unused);
        let first = group.checked_mul(self.inodes_per_group).and_then(|before| before.checked_add(1));
        let first = first.ok_or(Errno::EUCLEAN)?;
        let size = usize::from(self.inode_size);
        for begin in (0..used).step_by(BATCH as usize) {
            let count = BATCH.min(used - begin);
            let mut table = vec![0; count as usize * size];
            self.disk.read_at(&mut table, self.place(first + begin)?)?;
            for (inode, ino) in table.chunks(size).zip(first + begin..) {
                let grown = u16_at(inode, 0) & TYPE == DIRECTORY
                    && u32_at(inode, 0x20) & EXTENTS_FL != 0
                    && u16_at(inode, BLOCK + 6) > 0;
                if grown {
                    // One that is not in order is e2fsck's.
                    let _ = self.recount(ino);
                }
            }
        }
        Ok(())
    }

    /// The groups without an inode bitmap (`EXT4_BG_INODE_UNINIT`).
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn groups_without_bitmap(&self) -> Result<Vec<u32>, Errno> {
        let mut found = Vec::new();
        for group in 0..self.groups {
            let descriptor = self.descriptor(group)?;
            if u16_at(&descriptor, FLAGS) & INODE_UNINIT != 0 {
                found.push(group);
            }
        }
        Ok(found)
    }

    /// Sets what lies behind the end of a group's inode bitmap, if the group has got one.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn pad_bitmap(&self, group: u32) -> Result<(), Errno> {
        let descriptor = self.descriptor(group)?;
        if u16_at(&descriptor, FLAGS) & INODE_UNINIT != 0 {
            return Ok(());
        }
        let high = if descriptor.len() >= 64 { u64::from(u32_at(&descriptor, 0x24)) << 32 } else { 0 };
        let bitmap = u64::from(u32_at(&descriptor, 0x04)) | high;
        let used = u64::from(self.inodes_per_group / 8).min(self.block_size);
        let padding = vec![0xff; usize::try_from(self.block_size - used).unwrap_or(0)];
        let place = bitmap.checked_mul(self.block_size).ok_or(Errno::EUCLEAN)?;
        self.disk.write_at(&padding, place + used)
    }

    /// Blocks of an extent tree, those of the tree below this node included.
    fn count(&self, node: &[u8], depth_max: u16) -> Result<u64, Errno> {
        let (entries, depth) = (usize::from(u16_at(node, 2)), u16_at(node, 6));
        if u16_at(node, 0) != EXTENT_MAGIC || depth > depth_max || HEADER + entries * ENTRY > node.len() {
            return Err(Errno::EUCLEAN);
        }
        let mut blocks = 0;
        for entry in node[HEADER..].chunks(ENTRY).take(entries) {
            blocks += if depth == 0 {
                let len = u32::from(u16_at(entry, 4));
                u64::from(if len > WRITTEN_MAX { len - WRITTEN_MAX } else { len })
            } else {
                let block = u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32;
                let mut below = vec![0; usize::try_from(self.block_size).unwrap_or(0)];
                let place = block.checked_mul(self.block_size).ok_or(Errno::EUCLEAN)?;
                self.disk.read_at(&mut below, place)?;
                1 + self.count(&below, depth - 1)?
            };
        }
        Ok(blocks)
    }

    /// The checksum of an inode (fs/ext4/inode.c, ext4_inode_csum).
    fn checksum(&self, inode: &[u8], ino: u32) -> u32 {
        let mut bytes = inode.to_vec();
        bytes[CHECKSUM_LO..CHECKSUM_LO + 2].fill(0);
        let high = has_high_half(inode);
        if high {
            bytes[CHECKSUM_HI..CHECKSUM_HI + 2].fill(0);
        }
        let seed = crc32c_append(self.checksum_seed, &ino.to_le_bytes());
        let seed = crc32c_append(seed, &inode[0x64..0x68]);
        let checksum = crc32c_append(seed, &bytes);
        if high { checksum } else { checksum & 0xffff }
    }
}

fn stored(inode: &[u8]) -> u32 {
    let high = if has_high_half(inode) { u32::from(u16_at(inode, CHECKSUM_HI)) << 16 } else { 0 };
    u32::from(u16_at(inode, CHECKSUM_LO)) | high
}

/// Whether the inode reaches as far as the upper half.
fn has_high_half(inode: &[u8]) -> bool {
    inode.len() > 128 && u16_at(inode, 0x80) >= 4
}
