//! Inodes that no path leads to: those of sockets (sockfs).

use crate::process::Credentials;
use abi::Errno;
use abi::layout::Stat;
use abi::raw::general::{S_IFMT, S_ISGID, S_ISUID};
use std::cell::Cell;

/// The bits that chmod(2) changes (`S_IALLUGO`).
const CHANGEABLE: u32 = 0o7777;

/// Mode and owner of such an inode.
pub(crate) struct Nameless {
    mode: Cell<u32>,
    uid: Cell<u32>,
    gid: Cell<u32>,
}

impl Nameless {
    /// That of a file which this process made; `mode` with its type.
    pub(crate) fn new(mode: u32, who: &Credentials) -> Self {
        Self { mode: Cell::new(mode), uid: Cell::new(who.uid), gid: Cell::new(who.gid) }
    }

    /// `stat` with mode and owner.
    pub(crate) fn stat(&self, stat: Stat) -> Stat {
        Stat { st_mode: self.mode.get(), st_uid: self.uid.get(), st_gid: self.gid.get(), ..stat }
    }

    /// access(2): `wanted` are its bits.
    ///
    /// # Errors
    /// `EACCES`.
    pub(crate) fn access(&self, who: &Credentials, wanted: u32) -> Result<(), Errno> {
        let mode = self.mode.get();
        let granted = match who.uid {
            0 => 0o6 | u32::from(mode & 0o111 != 0),
            uid if uid == self.uid.get() => mode >> 6,
            _ if is_member(who, self.gid.get()) => mode >> 3,
            _ => mode,
        };
        if wanted & !granted == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// chmod(2).
    ///
    /// # Errors
    /// `EPERM`: neither owner nor root.
    pub(crate) fn chmod(&self, who: &Credentials, mode: u32) -> Result<(), Errno> {
        if who.uid != 0 && who.uid != self.uid.get() {
            return Err(Errno::EPERM);
        }
        let in_group = who.uid == 0 || is_member(who, self.gid.get());
        let allowed = if in_group { CHANGEABLE } else { CHANGEABLE & !S_ISGID };
        self.mode.set(self.mode.get() & S_IFMT | mode & allowed);
        Ok(())
    }

    /// chown(2); none: stays.
    ///
    /// # Errors
    /// `EPERM`: it is not root's process, and gives it to another user or to a group that it is not in.
    pub(crate) fn chown(&self, who: &Credentials, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
        let owns = who.uid == self.uid.get();
        let keeps_user = uid.is_none_or(|uid| owns && uid == who.uid);
        let keeps_group = gid.is_none_or(|gid| owns && (gid == self.gid.get() || is_member(who, gid)));
        if who.uid != 0 && !(keeps_user && keeps_group) {
            return Err(Errno::EPERM);
        }
        self.uid.set(uid.unwrap_or(self.uid.get()));
        self.gid.set(gid.unwrap_or(self.gid.get()));
        // As of all that is no directory.
        self.mode.set(self.mode.get() & !(S_ISUID | S_ISGID));
        Ok(())
    }
}

fn is_member(who: &Credentials, gid: u32) -> bool {
    who.gid == gid || who.groups.contains(&gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32, gid: u32, groups: &[u32]) -> Credentials {
        Credentials { uid, gid, groups: groups.to_vec(), host_pid: 0 }
    }

    #[test]
    fn owners_change_it_within_bounds() {
        let (owner, other, root) = (user(5, 6, &[7]), user(8, 6, &[]), user(0, 0, &[]));
        let inode = Nameless::new(0o140_777, &owner);
        assert_eq!(inode.chmod(&other, 0o600), Err(Errno::EPERM));
        assert_eq!(inode.chmod(&owner, 0o102_600), Ok(()));
        assert_eq!(inode.stat(Stat::default()).st_mode, 0o142_600);
        assert_eq!(inode.chown(&owner, Some(8), None), Err(Errno::EPERM));
        assert_eq!(inode.chown(&owner, Some(5), Some(9)), Err(Errno::EPERM));
        assert_eq!(inode.chown(&owner, None, Some(7)), Ok(()));
        assert_eq!(inode.stat(Stat::default()).st_mode, 0o140_600);
        assert_eq!(inode.chown(&root, Some(1), Some(2)), Ok(()));
        let stat = inode.stat(Stat::default());
        assert_eq!((stat.st_uid, stat.st_gid), (1, 2));
    }
}
