//! The superblock of the journal (jbd2, include/linux/jbd2.h): its transactions get checksums, as Linux does when it mounts a file system
//! that has them elsewhere. Without, a transaction that has reached the disk in part cannot be told from a whole one.

use super::raw::{Raw, u16_at, u32_at};
use abi::Errno;
use rsext4::crc32c::crc32c::crc32c_append;

const LEN: usize = 1024;
const MAGIC: u32 = 0xc03b_3998;
/// `JBD2_SUPERBLOCK_V2`
const WITH_FEATURES: u32 = 4;
/// `JBD2_FEATURE_COMPAT_CHECKSUM`, `JBD2_FEATURE_INCOMPAT_CSUM_V2`, `…_CSUM_V3`
const OLD_CHECKSUM: u32 = 1;
const CSUM_V2: u32 = 8;
const CSUM_V3: u32 = 0x10;
/// `JBD2_CRC32C_CHKSUM`
const CRC32C: u8 = 4;
const START: usize = 0x1c;
const COMPAT: usize = 0x24;
const INCOMPAT: usize = 0x28;
const CHECKSUM_TYPE: usize = 0x50;
const CHECKSUM: usize = 0xfc;
/// `EXT4_EXTENTS_FL`
const EXTENTS_FL: u32 = 0x8_0000;

impl Raw {
    /// Bytes of the journal, if need be the smallest that there may be (mke2fs(8)); 0: there is none.
    pub(super) fn journal_size(&self) -> u64 {
        if self.journal == 0 {
            return 0;
        }
        let size = |inode: &[u8]| u64::from(u32_at(inode, 0x04)) | u64::from(u32_at(inode, 0x6c)) << 32;
        self.inode(self.journal).map_or(0, |(inode, _)| size(&inode)).max(1024 * self.block_size)
    }

    /// Gives the journal checksums, if it can have them and is empty. Answers whether it has.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn checksum_journal(&self, read_only: bool) -> Result<bool, Errno> {
        let Some(place) = self.journal_place() else { return Ok(false) };
        let mut sb = [0; LEN];
        self.disk.read_at(&mut sb, place)?;
        if be_at(&sb, 0) != MAGIC || be_at(&sb, 4) != WITH_FEATURES {
            return Ok(false);
        }
        if be_at(&sb, INCOMPAT) & (CSUM_V2 | CSUM_V3) != 0 {
            return Ok(true);
        }
        if read_only || !self.checksums || be_at(&sb, START) != 0 {
            return Ok(false);
        }
        let compat = be_at(&sb, COMPAT) & !OLD_CHECKSUM;
        let incompat = be_at(&sb, INCOMPAT) | CSUM_V3;
        sb[COMPAT..COMPAT + 4].copy_from_slice(&compat.to_be_bytes());
        sb[INCOMPAT..INCOMPAT + 4].copy_from_slice(&incompat.to_be_bytes());
        sb[CHECKSUM_TYPE] = CRC32C;
        sb[CHECKSUM..CHECKSUM + 4].fill(0);
        let checksum = crc32c_append(u32::MAX, &sb);
        sb[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_be_bytes());
        self.disk.write_at(&sb, place)?;
        self.disk.sync()?;
        Ok(true)
    }

    /// Where the journal begins, if that is easy to tell: its inode has one level of extents, as mke2fs(8) makes them.
    fn journal_place(&self) -> Option<u64> {
        let (inode, _) = self.inode(self.journal).ok()?;
        let node = &inode[0x28..0x64];
        let plain = u32_at(&inode, 0x20) & EXTENTS_FL != 0
            && u16_at(node, 0) == 0xf30a
            && u16_at(node, 2) > 0
            && u16_at(node, 6) == 0
            && u32_at(node, 12) == 0;
        let block = u64::from(u32_at(node, 20)) | u64::from(u16_at(node, 18)) << 32;
        plain.then_some(block)?.checked_mul(self.block_size)
    }
}

fn be_at(bytes: &[u8], at: usize) -> u32 {
    u32_at(bytes, at).swap_bytes()
}
