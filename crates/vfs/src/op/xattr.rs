//! Extended attributes (xattr(7)).

use super::acl::{found, list};
use crate::mount::{Location, Vfs};
use crate::node::{Attr, Kind, Time};
use crate::permission::{READ, WRITE, Who};
use abi::Errno;
use abi::raw::general::{IN_ATTRIB, XATTR_CREATE, XATTR_REPLACE};

const NAME_MAX: usize = 255;
const VALUE_MAX: usize = 64 << 10;
const S_ISVTX: u32 = 0o1000;

impl Vfs {
    /// The value of an attribute.
    ///
    /// # Errors
    /// As getxattr(2).
    pub fn xattr(&self, who: &Who<'_>, at: Location, name: &[u8]) -> Result<Vec<u8>, Errno> {
        if let Some(default) = list(name) {
            return self.acl_value(at, default);
        }
        permitted(who, &self.attr(at)?, name, READ)?;
        self.fs(at)?.xattr(at.ino, name)
    }

    /// The names of all attributes that the caller may know of, each with its NUL.
    ///
    /// # Errors
    /// As listxattr(2).
    pub fn xattrs(&self, who: &Who<'_>, at: Location) -> Result<Vec<u8>, Errno> {
        let names = self.fs(at)?.xattrs(at.ino)?;
        let known = self
            .acl_names(at)?
            .into_iter()
            .chain(names)
            .filter(|name| who.is_root() || !name.starts_with(b"trusted."));
        Ok(known.flat_map(|name| [name, vec![0]].concat()).collect())
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// As setxattr(2).
    pub fn set_xattr(
        &mut self,
        who: &Who<'_>,
        at: Location,
        name: &[u8],
        value: &[u8],
        flags: u32,
        now: Time,
    ) -> Result<(), Errno> {
        if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
            return Err(Errno::EINVAL);
        }
        if value.len() > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        self.writable(at)?;
        if let Some(default) = list(name) {
            self.set_acl(who, at, default, (value, flags), now)?;
            self.tell(at, None, IN_ATTRIB);
            return Ok(());
        }
        permitted(who, &self.attr(at)?, name, WRITE)?;
        let there = found(self.fs(at)?.xattr(at.ino, name))?;
        match there {
            true if flags & XATTR_CREATE != 0 => return Err(Errno::EEXIST),
            false if flags & XATTR_REPLACE != 0 => return Err(Errno::ENODATA),
            _ => self.fs_mut(at)?.set_xattr(at.ino, name, Some(value), now)?,
        }
        self.tell(at, None, IN_ATTRIB);
        Ok(())
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// As removexattr(2).
    pub fn remove_xattr(&mut self, who: &Who<'_>, at: Location, name: &[u8], now: Time) -> Result<(), Errno> {
        self.writable(at)?;
        if let Some(default) = list(name) {
            return self.set_acl(who, at, default, (&[], 0), now);
        }
        permitted(who, &self.attr(at)?, name, WRITE)?;
        self.fs_mut(at)?.set_xattr(at.ino, name, None, now)?;
        self.tell(at, None, IN_ATTRIB);
        Ok(())
    }
}

/// The rules of the name spaces.
fn permitted(who: &Who<'_>, attr: &Attr, name: &[u8], wanted: u32) -> Result<(), Errno> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Errno::ERANGE);
    }
    let writes = wanted == WRITE;
    let rest = if let Some(rest) = name.strip_prefix(b"user.") {
        user_space(who, attr, wanted)?;
        rest
    } else if let Some(rest) = name.strip_prefix(b"trusted.") {
        match who.is_root() {
            true => rest,
            false => return Err(if writes { Errno::EPERM } else { Errno::ENODATA }),
        }
    } else if let Some(rest) = name.strip_prefix(b"security.") {
        if writes && !who.is_root() {
            return Err(Errno::EPERM);
        }
        rest
    } else {
        // Other name spaces do not exist, but permission comes first.
        if !name.starts_with(b"system.") {
            who.access(attr, wanted)?;
        }
        return Err(Errno::EOPNOTSUPP);
    };
    if rest.is_empty() { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Only what has contents of its own can have attributes in `user.`; a sticky directory's are its owner's.
fn user_space(who: &Who<'_>, attr: &Attr, wanted: u32) -> Result<(), Errno> {
    if !matches!(attr.kind, Kind::Regular | Kind::Directory) {
        return Err(if wanted == WRITE { Errno::EPERM } else { Errno::ENODATA });
    }
    let sticky = attr.kind == Kind::Directory && attr.mode & S_ISVTX != 0;
    if wanted == WRITE && sticky && !who.owns(attr) {
        return Err(Errno::EPERM);
    }
    who.access(attr, wanted)
}
