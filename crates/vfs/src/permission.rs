//! Who may do what (path_resolution(7), credentials(7)).

use crate::node::{Attr, Kind};
use abi::Errno;

/// May read.
pub(crate) const READ: u32 = 4;
/// May write.
pub(crate) const WRITE: u32 = 2;
/// May execute, or search.
pub(crate) const EXECUTE: u32 = 1;

const S_ISVTX: u32 = 0o1000;

/// Whose call it is. User 0 has all capabilities.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: &'a [u32],
}

impl Who<'_> {
    /// Whether nothing is forbidden.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether it is in this group.
    #[must_use]
    pub fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// Whether it owns the inode, or may as if it did.
    #[must_use]
    pub const fn owns(&self, attr: &Attr) -> bool {
        self.is_root() || self.uid == attr.uid
    }

    /// Checks the wanted `rwx` bits.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn access(&self, attr: &Attr, wanted: u32) -> Result<(), Errno> {
        let bits = if self.uid == attr.uid {
            attr.mode >> 6
        } else if self.is_in(attr.gid) {
            attr.mode >> 3
        } else {
            attr.mode
        };
        // Root may all but execute what nobody may (CAP_DAC_OVERRIDE).
        let root = self.is_root()
            && (wanted & EXECUTE == 0 || attr.kind == Kind::Directory || attr.mode & 0o111 != 0);
        if root || bits & wanted == wanted { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether names in this directory may be changed.
    pub(crate) fn may_change(&self, dir: &Attr) -> Result<(), Errno> {
        self.access(dir, WRITE | EXECUTE)
    }

    /// Whether this name may be taken away: in a sticky directory only by the owner of either.
    pub(crate) fn may_remove(&self, dir: &Attr, victim: &Attr) -> Result<(), Errno> {
        self.may_change(dir)?;
        let sticky = dir.mode & S_ISVTX != 0 && !self.owns(victim) && self.uid != dir.uid;
        if sticky { Err(Errno::EPERM) } else { Ok(()) }
    }
}
