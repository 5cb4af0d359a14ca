//! What a sticky directory that all may write to keeps people from, besides removing others' files (proc_sys_fs(5)).

use crate::mount::{Location, Vfs};
use crate::node::{Attr, Kind};
use crate::permission::Who;
use abi::Errno;

const S_ISVTX: u32 = 0o1000;
const S_IWOTH: u32 = 0o0002;
const S_IWGRP: u32 = 0o0020;

/// The settings, each named as its node under /proc/sys/fs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protected {
    /// 1: others' files get more names only where that gives no power over them.
    pub protected_hardlinks: u8,
    /// 1: symbolic links in sticky directories are followed only if they are the follower's or the directory owner's.
    pub protected_symlinks: u8,
    /// 1: others' fifos in such directories are not opened with O_CREAT; 2: also where only the group may write.
    pub protected_fifos: u8,
    /// As `protected_fifos`, of regular files.
    pub protected_regular: u8,
}

impl Default for Protected {
    /// Linux's own, but for hard links, whose protection every distribution switches on.
    fn default() -> Self {
        Self { protected_hardlinks: 1, protected_symlinks: 0, protected_fifos: 0, protected_regular: 0 }
    }
}

impl Vfs {
    /// Whether a symbolic link at the end of a path may be followed (fs/namei.c, may_follow_link).
    ///
    /// # Errors
    /// `EACCES`.
    pub(crate) fn may_follow(&self, who: &Who<'_>, dir: Location, link: Location) -> Result<(), Errno> {
        if self.protected.protected_symlinks == 0 {
            return Ok(());
        }
        let (dir, link) = (self.attr(dir)?, self.attr(link)?);
        let shared = dir.mode & (S_ISVTX | S_IWOTH) == S_ISVTX | S_IWOTH;
        let allowed = !shared || link.uid == who.uid || link.uid == dir.uid;
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether what exists may be opened with O_CREAT (fs/namei.c, may_create_in_sticky).
    ///
    /// # Errors
    /// `EACCES`.
    pub(crate) fn may_take_for_new(&self, who: &Who<'_>, dir: Location, node: &Attr) -> Result<(), Errno> {
        let level = match node.kind {
            Kind::Fifo => self.protected.protected_fifos,
            Kind::Regular => self.protected.protected_regular,
            _ => 0,
        };
        if level == 0 {
            return Ok(());
        }
        let dir = self.attr(dir)?;
        let shared = dir.mode & S_IWOTH != 0 || level > 1 && dir.mode & S_IWGRP != 0;
        let refused = dir.mode & S_ISVTX != 0 && shared && node.uid != dir.uid && node.uid != who.uid;
        if refused { Err(Errno::EACCES) } else { Ok(()) }
    }
}
