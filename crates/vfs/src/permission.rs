//! Who may do what (path_resolution(7), credentials(7)).

use crate::node::{Attr, Kind};
use abi::Errno;

/// May read.
pub(crate) const READ: u32 = 4;
/// May write.
pub(crate) const WRITE: u32 = 2;
/// May execute, or search.
pub(crate) const EXECUTE: u32 = 1;

const S_ISUID: u32 = 0o4000;
const S_ISGID: u32 = 0o2000;
const S_ISVTX: u32 = 0o1000;
const S_IXGRP: u32 = 0o0010;

/// Whose call it is. User 0 has all capabilities.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: &'a [u32],
    /// Permission bits that files made do not get (umask(2)), unless their directory has a default list (acl(5)).
    pub umask: u32,
    /// What the paths of this tree begin with as it writes them (rumphijack(3), `path=`); empty: with nothing.
    pub prefix: &'a [u8],
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
        let granted = match &attr.acl {
            Some(acl) => acl.grants(self, (attr.uid, attr.gid), wanted),
            None => self.mode_bits(attr) & wanted == wanted,
        };
        // Root may all but execute what nobody may (CAP_DAC_OVERRIDE).
        let root = self.is_root()
            && (wanted & EXECUTE == 0 || attr.kind == Kind::Directory || attr.mode & 0o111 != 0);
        if root || granted { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// The bits of the class that it is in.
    fn mode_bits(&self, attr: &Attr) -> u32 {
        if self.uid == attr.uid {
            attr.mode >> 6
        } else if self.is_in(attr.gid) {
            attr.mode >> 3
        } else {
            attr.mode
        }
    }

    /// The mode after a change of owner: set-user-ID goes, and set-group-ID where the group may execute, or where the caller
    /// could not set it (chown(2)). None: there is nothing to take away.
    pub(crate) fn mode_after_chown(&self, attr: &Attr) -> Option<u32> {
        let set_gid_goes = attr.mode & S_IXGRP != 0 || !(self.is_root() || self.is_in(attr.gid));
        let dropped = if set_gid_goes { S_ISUID | S_ISGID } else { S_ISUID };
        let goes = attr.kind != Kind::Directory && attr.mode & dropped != 0;
        goes.then_some(attr.mode & !dropped)
    }

    /// As [`Who::mode_after_chown`], after a write: root's leaves the bits (CAP_FSETID).
    pub(crate) fn mode_after_write(&self, attr: &Attr) -> Option<u32> {
        if self.is_root() { None } else { self.mode_after_chown(attr) }
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
