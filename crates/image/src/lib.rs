//! File systems that do I/O: on disk images, and directories of the host.
//!
//! Each is one folder with a type that implements [`vfs::FileSystem`], as tmpfs does; [`open`] finds out which one a disk holds.
//! Operations block. The server has a thread for each that is mounted ([`vfs::remote`]), so nobody else waits.
//! An image is hostile until checked: whatever its bytes say, the worst that may come of it is an error.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod disk;
mod drive;
mod ext4;
mod fat;
mod hadris;
mod hostdir;
mod iso9660;
pub mod partition;
pub mod probe;
mod readonly;
mod squashfs;

pub use disk::{Disk, HostFile};
pub use drive::DriveFile;

use abi::Errno;
use vfs::FileSystem;

/// The types of [`open`].
pub use vfs::remote::ON_DRIVES as KINDS;

/// How a file system is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The type of mount(2); `auto`: to be found out.
    pub kind: &'a [u8],
    /// Mount options of its own.
    pub options: &'a [u8],
    /// Nothing is to be changed.
    pub read_only: bool,
}

/// A file system that was opened.
pub struct Opened {
    /// It.
    pub fs: Box<dyn FileSystem>,
    /// Whether changes may be answered before they are carried out: only a full or broken disk fails them.
    pub behind: bool,
    /// Whether a name means the same inode until it is changed here.
    pub keeps_nodes: bool,
    /// Whether a name stands for nothing unless it is spelt as it is listed. FAT's can be spelt in other ways.
    pub exact: bool,
}

/// Opens a directory of the host (`mount -t dir`).
///
/// # Errors
/// The host's; `EINVAL`: an unknown option.
pub fn open_directory(path: &[u8], how: Opening<'_>) -> Result<Opened, Errno> {
    hostdir::open(path, how)
}

/// Opens the file system that a disk holds.
///
/// # Errors
/// `ENODEV`: no such type. `EINVAL`: the disk does not hold one of this type, or an option is unknown. What mount(2) lists.
pub fn open(disk: Disk, how: Opening<'_>) -> Result<Opened, Errno> {
    let found;
    let kind = match how.kind {
        b"auto" => {
            found = probe::kind(&disk).ok_or(Errno::EINVAL)?;
            found.as_bytes()
        }
        kind => kind,
    };
    let opener = OPENERS.iter().find(|(known, _)| known.as_bytes() == kind);
    opener.map_or(Err(Errno::ENODEV), |(_, open)| open(disk, how))
}

type Opener = fn(Disk, Opening<'_>) -> Result<Opened, Errno>;

/// What opens a type; the names are those of [`vfs::remote::ON_DRIVES`].
const OPENERS: &[(&str, Opener)] = &[
    ("ext2", ext4::open),
    ("ext3", ext4::open),
    ("ext4", ext4::open),
    ("iso9660", iso9660::open),
    ("msdos", fat::open),
    ("squashfs", squashfs::open),
    ("vfat", fat::open),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_offers_is_there() {
        let here: Vec<&str> = OPENERS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(here, vfs::remote::ON_DRIVES);
    }
}
