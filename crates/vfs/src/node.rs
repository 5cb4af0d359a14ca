//! What is known of an inode.

use crate::acl::Acl;
use abi::raw::general::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};
use std::sync::Arc;

/// An inode's number in its file system.
pub type Ino = u64;

/// Nanoseconds since 1970.
pub type Time = u64;

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A fifo: its data is the kernel's.
    Fifo,
    /// A socket's name.
    Socket,
}

impl Kind {
    /// Its `S_IFMT` bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Regular => S_IFREG,
            Self::Directory => S_IFDIR,
            Self::Symlink => S_IFLNK,
            Self::Char => S_IFCHR,
            Self::Block => S_IFBLK,
            Self::Fifo => S_IFIFO,
            Self::Socket => S_IFSOCK,
        }
    }

    /// What the `S_IFMT` bits of a mode say; none: nothing Linux knows.
    #[must_use]
    pub fn from_mode(mode: u32) -> Option<Self> {
        [Self::Regular, Self::Directory, Self::Symlink, Self::Char, Self::Block, Self::Fifo, Self::Socket]
            .into_iter()
            .find(|kind| kind.bits() == mode & S_IFMT)
    }

    /// Its `d_type` in a directory entry (`DT_*`).
    #[must_use]
    pub const fn d_type(self) -> u8 {
        (self.bits() >> 12) as u8
    }
}

/// An inode's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attr {
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, without the type.
    pub mode: u32,
    /// Hard links.
    pub nlink: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, if it is a device (`makedev`).
    pub rdev: u64,
    /// Bytes.
    pub size: u64,
    /// 512-byte blocks taken.
    pub blocks: u64,
    /// Last access.
    pub atime: Time,
    /// Last change of contents.
    pub mtime: Time,
    /// Last change of the inode.
    pub ctime: Time,
    /// Creation.
    pub btime: Time,
    /// Its access control list, if it says more than the permission bits.
    pub acl: Option<Arc<Acl>>,
}

/// What a new inode is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number.
    pub rdev: u64,
    /// Where a symbolic link leads.
    pub target: Vec<u8>,
}

/// Where a new inode is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewName<'a> {
    /// Under this name.
    Named(&'a [u8]),
    /// Nowhere (`O_TMPFILE`). Whether it may be given a name later: `O_EXCL` says no.
    Unnamed {
        /// It may.
        linkable: bool,
    },
}

/// A time to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    /// It stays.
    Omit,
    /// It becomes the current time.
    Now,
    /// It becomes this.
    To(Time),
}

/// Attributes to be changed; what is none stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetAttr {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Size.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<Time>,
    /// Last change of contents.
    pub mtime: Option<Time>,
}
