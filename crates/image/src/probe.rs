//! What a disk holds, by the numbers that file systems begin with.

use crate::disk::Disk;
use crate::partition::{self, Partition};

/// Types by their names for mount(2), with where their magic bytes are.
const MAGICS: &[(&str, u64, &[u8])] = &[
    ("ext4", 0x438, &[0x53, 0xef]),
    ("squashfs", 0, b"hsqs"),
    ("iso9660", 0x8001, b"CD001"),
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x10040, b"_BHRfS_M"),
    ("f2fs", 0x400, &[0x10, 0x20, 0xf5, 0xf2]),
    ("ntfs", 3, b"NTFS    "),
    ("exfat", 3, b"EXFAT   "),
    ("vfat", 0x52, b"FAT32   "),
    ("vfat", 0x36, b"FAT1"),
    ("swap", 4086, b"SWAPSPACE2"),
    ("luks", 0, b"LUKS\xba\xbe"),
    ("erofs", 0x400, &[0xe2, 0xe1, 0xf5, 0xe0]),
];

/// The type of the file system (or what else is known) that a disk begins with; none: nothing known.
#[must_use]
pub fn kind(disk: &Disk) -> Option<&'static str> {
    let found = MAGICS.iter().find(|(_, offset, magic)| {
        let mut bytes = vec![0; magic.len()];
        disk.read_at(&mut bytes, *offset).is_ok() && bytes == *magic
    });
    found.map(|(kind, ..)| *kind)
}

/// A part of a disk, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The partition; none: the disk as a whole.
    pub partition: Option<Partition>,
    /// What it holds, if that is known.
    pub kind: Option<&'static str>,
}

/// The parts of a disk: itself if it begins with a file system, else its partitions, if it has any.
#[must_use]
pub fn parts(disk: &Disk) -> Vec<Part> {
    let whole = Part { partition: None, kind: kind(disk) };
    // An ISO image that can be booted from a USB stick has a partition table as well.
    if whole.kind.is_some() {
        return vec![whole];
    }
    match partition::list(disk) {
        Ok(partitions) if !partitions.is_empty() => {
            let part = |partition: Partition| Part {
                partition: Some(partition),
                kind: kind(&disk.part(partition.start, partition.size)),
            };
            partitions.into_iter().map(part).collect()
        }
        _ => vec![whole],
    }
}
