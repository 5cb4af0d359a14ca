//! What the crate does not tell, read from the disk: nanoseconds, and the blocks reserved for root.
//!
//! Only inodes that have not been changed since the file system was opened are looked up here: theirs are in place.

use crate::disk::Disk;
use abi::Errno;
use foldhash::HashMap;
use std::cell::RefCell;
use vfs::Time;

const SUPERBLOCK: u64 = 1024;
const MAGIC: u16 = 0xef53;
/// `EXT4_FEATURE_INCOMPAT_RECOVER`, `EXT4_FEATURE_INCOMPAT_64BIT`
const RECOVER: u32 = 4;
const WIDE: u32 = 0x80;
/// `EXT4_FEATURE_INCOMPAT_CSUM_SEED`, `…_META_BG`, `EXT4_FEATURE_RO_COMPAT_BIGALLOC`, `…_METADATA_CSUM`
const CSUM_SEED: u32 = 0x2000;
const META_BG: u32 = 0x10;
const BIGALLOC: u32 = 0x200;
const METADATA_CSUM: u32 = 0x400;
/// `EXT4_FEATURE_COMPAT_HAS_JOURNAL`
const HAS_JOURNAL: u32 = 4;
/// `EXT4_GOOD_OLD_FIRST_INO`
const FIRST_INODE: u32 = 11;
const SECOND_NS: u64 = 1_000_000_000;
/// Bytes of an inode table that are kept.
const PIECE: u64 = 16 << 10;

/// Times of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) atime: Time,
    pub(super) mtime: Time,
    pub(super) ctime: Time,
    pub(super) btime: Time,
}

pub(super) struct Raw {
    pub(super) disk: Disk,
    pub(super) block_size: u64,
    /// Whether inodes have checksums, and what these start from.
    pub(super) checksums: bool,
    pub(super) checksum_seed: u32,
    first_data_block: u64,
    pub(super) inode_size: u16,
    pub(super) inodes_per_group: u32,
    pub(super) groups: u32,
    descriptor_size: u64,
    /// Blocks that only root may take.
    pub(super) reserved: u64,
    pub(super) needs_recovery: bool,
    /// The inode of the journal; 0: there is none.
    pub(super) journal: u32,
    /// What the file system is known by: its UUID, folded.
    pub(super) identity: u64,
    /// Inodes below it, but the root's, are the file system's own.
    pub(super) first_inode: u32,
    /// A piece of an inode table, and where it begins: directories are gone through inode by inode.
    piece: RefCell<(u64, Vec<u8>)>,
    /// Where the inode tables of groups are.
    tables: RefCell<HashMap<u32, u64>>,
    /// Descriptors lie together, and blocks are counted singly: not with `meta_bg` and `bigalloc`.
    plain: bool,
}

impl Raw {
    /// # Errors
    /// `EINVAL`: no superblock, or one that makes no sense.
    pub(super) fn read(disk: Disk) -> Result<Self, Errno> {
        let mut sb = [0; 1024];
        disk.read_at(&mut sb, SUPERBLOCK).map_err(|_| Errno::EINVAL)?;
        let incompat = u32_at(&sb, 0x60);
        let log_block = u32_at(&sb, 0x18);
        if u16_at(&sb, 0x38) != MAGIC || log_block > 6 {
            return Err(Errno::EINVAL);
        }
        let old = u32_at(&sb, 0x4c) == 0;
        let wide = incompat & WIDE != 0;
        let raw = Self {
            disk,
            block_size: 1024 << log_block,
            checksums: u32_at(&sb, 0x64) & METADATA_CSUM != 0,
            checksum_seed: match incompat & CSUM_SEED {
                0 => rsext4::crc32c::crc32c::crc32c_append(u32::MAX, &sb[0x68..0x78]),
                _ => u32_at(&sb, 0x270),
            },
            first_data_block: u64::from(u32_at(&sb, 0x14)),
            inode_size: if old { 128 } else { u16_at(&sb, 0x58) },
            inodes_per_group: u32_at(&sb, 0x28),
            groups: u32_at(&sb, 0x00).div_ceil(u32_at(&sb, 0x28).max(1)),
            descriptor_size: if wide { u64::from(u16_at(&sb, 0xfe)).max(32) } else { 32 },
            reserved: u64::from(u32_at(&sb, 0x08))
                | if wide { u64::from(u32_at(&sb, 0x154)) << 32 } else { 0 },
            journal: if u32_at(&sb, 0x5c) & HAS_JOURNAL != 0 { u32_at(&sb, 0xe0) } else { 0 },
            needs_recovery: incompat & RECOVER != 0,
            identity: u64_at(&sb, 0x68) ^ u64_at(&sb, 0x70),
            first_inode: if old { FIRST_INODE } else { u32_at(&sb, 0x54) },
            piece: RefCell::default(),
            tables: RefCell::default(),
            plain: incompat & META_BG == 0 && u32_at(&sb, 0x64) & BIGALLOC == 0,
        };
        if raw.inodes_per_group == 0 || !(128..=4096).contains(&raw.inode_size) {
            Err(Errno::EINVAL)
        } else {
            Ok(raw)
        }
    }

    /// Times of an inode that has not been changed since the file system was opened.
    ///
    /// # Errors
    /// `EIO`, `EUCLEAN`.
    pub(super) fn times(&self, ino: u32) -> Result<Times, Errno> {
        self.in_piece(self.place(ino)?, |inode| self.times_in(inode))
    }

    /// Shows bytes of an inode table, which may be old: of those that stand for changed inodes.
    fn in_piece<T>(&self, place: u64, show: impl FnOnce(&[u8]) -> T) -> Result<T, Errno> {
        let (start, within) = (place / PIECE * PIECE, usize::try_from(place % PIECE).unwrap_or(0));
        let mut piece = self.piece.borrow_mut();
        let inode = within..within + usize::from(self.inode_size);
        if piece.0 != start || piece.1.len() < inode.end {
            let len = (inode.end as u64).max(PIECE.min(self.disk.size().saturating_sub(start)));
            piece.1.resize(usize::try_from(len).unwrap_or(inode.end), 0);
            piece.0 = start;
            if let Err(errno) = self.disk.read_at(&mut piece.1, start) {
                *piece = (0, Vec::new());
                return Err(errno);
            }
        }
        Ok(show(&piece.1[inode]))
    }

    fn times_in(&self, inode: &[u8]) -> Times {
        // i_extra_isize counts from byte 128 on.
        let extra = if inode.len() > 128 { 128 + usize::from(u16_at(inode, 0x80)) } else { 128 };
        let time = |at: usize, extra_at: usize| {
            let wide = if extra_at + 4 <= extra { u32_at(inode, extra_at) } else { 0 };
            time(u32_at(inode, at), wide)
        };
        let btime = if 0x94 <= extra { time(0x90, 0x94) } else { 0 };
        Times { atime: time(0x08, 0x8c), ctime: time(0x0c, 0x84), mtime: time(0x10, 0x88), btime }
    }

    /// An inode as it is on the disk, and where.
    pub(super) fn inode(&self, ino: u32) -> Result<(Vec<u8>, u64), Errno> {
        let mut inode = vec![0; usize::from(self.inode_size)];
        let place = self.place(ino)?;
        self.disk.read_at(&mut inode, place)?;
        Ok((inode, place))
    }

    /// The descriptor of a group.
    pub(super) fn descriptor(&self, group: u32) -> Result<Vec<u8>, Errno> {
        if !self.plain {
            return Err(Errno::EOPNOTSUPP);
        }
        let place = (self.first_data_block + 1) * self.block_size + u64::from(group) * self.descriptor_size;
        let mut bytes = vec![0; usize::try_from(self.descriptor_size.min(64)).unwrap_or(32)];
        self.disk.read_at(&mut bytes, place)?;
        Ok(bytes)
    }

    /// Where the inode table of a group is.
    fn table(&self, group: u32) -> Result<u64, Errno> {
        if let Some(table) = self.tables.borrow().get(&group) {
            return Ok(*table);
        }
        let bytes = self.descriptor(group)?;
        let high = if bytes.len() >= 64 { u64::from(u32_at(&bytes, 0x28)) << 32 } else { 0 };
        let table = u64::from(u32_at(&bytes, 0x08)) | high;
        let table = table.checked_mul(self.block_size).ok_or(Errno::EUCLEAN)?;
        self.tables.borrow_mut().insert(group, table);
        Ok(table)
    }

    /// Where an inode is.
    pub(super) fn place(&self, ino: u32) -> Result<u64, Errno> {
        let index = ino.checked_sub(1).ok_or(Errno::EUCLEAN)?;
        let (group, index) = (index / self.inodes_per_group, index % self.inodes_per_group);
        self.table(group)?.checked_add(u64::from(index) * u64::from(self.inode_size)).ok_or(Errno::EUCLEAN)
    }
}

/// Two more bits of seconds and 30 of nanoseconds. Times before 1970 are told as 1970.
fn time(seconds: u32, extra: u32) -> Time {
    let seconds = i64::from(seconds.cast_signed()) + (i64::from(extra & 3) << 32);
    let nanoseconds = u64::from(extra >> 2).min(SECOND_NS - 1);
    u64::try_from(seconds).map_or(0, |seconds| seconds * SECOND_NS + nanoseconds)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
