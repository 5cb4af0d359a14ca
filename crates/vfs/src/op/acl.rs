//! Access control lists as calls see them: extended attributes that change permission bits, and defaults that new files get.

use crate::acl::{ACCESS, Acl, DEFAULT};
use crate::mount::{Location, Vfs};
use crate::node::{Attr, Kind, NewNode, SetAttr, Time};
use crate::permission::Who;
use abi::Errno;
use abi::raw::general::{XATTR_CREATE, XATTR_REPLACE};
use std::sync::Arc;

const S_ISGID: u32 = 0o2000;

/// Whether an extended attribute stands for a list, and whether for the default one.
pub(super) fn list(name: &[u8]) -> Option<bool> {
    match name {
        ACCESS => Some(false),
        DEFAULT => Some(true),
        _ => None,
    }
}

/// Whether an attribute is there.
///
/// # Errors
/// All but `ENODATA`.
pub(super) fn found(value: Result<Vec<u8>, Errno>) -> Result<bool, Errno> {
    match value {
        Ok(_) => Ok(true),
        Err(Errno::ENODATA) => Ok(false),
        Err(errno) => Err(errno),
    }
}

impl Vfs {
    /// The value of a list's attribute.
    pub(super) fn acl_value(&self, at: Location, default: bool) -> Result<Vec<u8>, Errno> {
        let fs = self.fs(at)?;
        if !fs.has_acls() {
            return Err(Errno::EOPNOTSUPP);
        }
        let attr = self.attr(at)?;
        let acl = if default { fs.default_acl(at.ino)? } else { attr.acl };
        acl.map(|acl| acl.emit()).ok_or(Errno::ENODATA)
    }

    /// The names of the lists that there are.
    pub(super) fn acl_names(&self, at: Location) -> Result<Vec<Vec<u8>>, Errno> {
        let mut names = Vec::new();
        for (name, default) in [(ACCESS, false), (DEFAULT, true)] {
            match self.acl_value(at, default) {
                Ok(_) => names.push(name.to_vec()),
                Err(Errno::ENODATA | Errno::EOPNOTSUPP) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(names)
    }

    /// setxattr(2) of a list, and with no value removexattr(2).
    pub(super) fn set_acl(
        &mut self,
        who: &Who<'_>,
        at: Location,
        default: bool,
        (value, flags): (&[u8], u32),
        now: Time,
    ) -> Result<(), Errno> {
        let attr = self.attr(at)?;
        if !self.fs(at)?.has_acls() || attr.kind == Kind::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        let acl = Acl::parse(value)?.map(Arc::new);
        if default && attr.kind != Kind::Directory {
            return if acl.is_some() { Err(Errno::EACCES) } else { Ok(()) };
        }
        if !who.owns(&attr) {
            return Err(Errno::EPERM);
        }
        let there = found(self.acl_value(at, default))?;
        match there {
            true if flags & XATTR_CREATE != 0 => return Err(Errno::EEXIST),
            false if flags & XATTR_REPLACE != 0 => return Err(Errno::ENODATA),
            _ => {}
        }
        match acl {
            Some(acl) if !default => self.set_access_acl(who, at, &attr, acl, now),
            acl => self.fs_mut(at)?.set_acl(at.ino, default, acl, now),
        }
    }

    /// Sets an access list with the permission bits that it shows as; one that says no more than these is not kept.
    fn set_access_acl(
        &mut self,
        who: &Who<'_>,
        at: Location,
        attr: &Attr,
        acl: Arc<Acl>,
        now: Time,
    ) -> Result<(), Errno> {
        let mut mode = attr.mode & 0o7000 | acl.mode();
        if !who.is_root() && !who.is_in(attr.gid) {
            mode &= !S_ISGID;
        }
        let kept = (!acl.is_minimal()).then_some(acl);
        let fs = self.fs_mut(at)?;
        fs.set_acl(at.ino, false, kept, now)?;
        fs.set_attr(at.ino, &SetAttr { mode: Some(mode), ..SetAttr::default() }, now)
    }

    /// chmod(2) has changed the permission bits: the list follows.
    pub(super) fn acl_follows_mode(&mut self, at: Location, mode: u32, now: Time) -> Result<(), Errno> {
        match self.attr(at)?.acl {
            Some(acl) => self.fs_mut(at)?.set_acl(at.ino, false, Some(Arc::new(acl.with_mode(mode))), now),
            None => Ok(()),
        }
    }

    /// Takes off a new inode's permission bits what its directory's default list denies or, without one, the umask; answers that list.
    pub(super) fn inherit(
        &self,
        who: &Who<'_>,
        dir: Location,
        node: &mut NewNode,
    ) -> Result<Option<Arc<Acl>>, Errno> {
        if node.kind == Kind::Symlink {
            return Ok(None);
        }
        let default = self.fs(dir)?.default_acl(dir.ino)?;
        node.mode = match &default {
            Some(acl) => node.mode & 0o7000 | acl.inherited(node.mode).mode(),
            None => node.mode & !who.umask,
        };
        Ok(default)
    }

    /// Gives a new inode what it inherits of the default list of its directory.
    pub(super) fn apply_inherited(
        &mut self,
        at: Location,
        node: &NewNode,
        default: Arc<Acl>,
        now: Time,
    ) -> Result<(), Errno> {
        let access = default.inherited(node.mode);
        let fs = self.fs_mut(at)?;
        if !access.is_minimal() {
            fs.set_acl(at.ino, false, Some(Arc::new(access)), now)?;
        }
        if node.kind == Kind::Directory { fs.set_acl(at.ino, true, Some(default), now) } else { Ok(()) }
    }
}
