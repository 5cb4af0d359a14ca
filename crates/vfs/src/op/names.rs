//! Making and removing names.

use crate::mount::{Location, Vfs};
use crate::node::{Attr, Kind, NewName, NewNode, Time};
use crate::permission::{READ, WRITE, Who};
use crate::walk::{Start, Walked};
use abi::Errno;
use abi::raw::general::{AT_REMOVEDIR, IN_ATTRIB, IN_CREATE, IN_DELETE};

/// Longest target of a symbolic link.
const TARGET_MAX: usize = 4095;
const S_ISUID: u32 = 0o4000;
/// Set-group-ID and execution by the group: runs with that group.
const SET_GID: u32 = 0o2010;

impl Vfs {
    /// mkdir(2); the umask is `who`'s.
    ///
    /// # Errors
    /// As mkdir(2).
    pub fn mkdir(
        &mut self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        mode: u32,
        now: Time,
    ) -> Result<(), Errno> {
        let walked = self.walk_to_name(who, start, path)?;
        let name = absent(&walked)?;
        self.make(who, walked.dir, NewName::Named(name), Kind::Directory, mode & 0o1777, now)?;
        Ok(())
    }

    /// mknod(2), and the name of a socket that is bound; the umask is `who`'s.
    ///
    /// # Errors
    /// As mknod(2).
    pub fn mknod(
        &mut self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        mode: u32,
        rdev: u64,
        now: Time,
    ) -> Result<Location, Errno> {
        let kind = match Kind::from_mode(mode) {
            _ if mode & abi::raw::general::S_IFMT == 0 => Kind::Regular,
            Some(Kind::Directory) => return Err(Errno::EPERM),
            Some(Kind::Symlink) | None => return Err(Errno::EINVAL),
            Some(kind) => kind,
        };
        let walked = self.walk_to_name(who, start, path)?;
        let name = absent_file(&walked)?;
        // Overlays' mark of a removed name is no device: anybody may make it (mknod(2) since Linux 5.8).
        let whiteout = kind == Kind::Char && rdev == 0;
        if matches!(kind, Kind::Char | Kind::Block) && !whiteout && !who.is_root() {
            who.may_change(&self.attr(walked.dir)?)?;
            return Err(Errno::EPERM);
        }
        let node = NewNode { kind, mode: mode & 0o7777, uid: 0, gid: 0, rdev, target: Vec::new() };
        self.make_node(who, walked.dir, NewName::Named(name), node, now)
    }

    /// symlink(2).
    ///
    /// # Errors
    /// As symlink(2).
    pub fn symlink(
        &mut self,
        who: &Who<'_>,
        target: &[u8],
        start: Start,
        path: &[u8],
        now: Time,
    ) -> Result<(), Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target.len() > TARGET_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let walked = self.walk_to_name(who, start, path)?;
        let name = absent_file(&walked)?;
        let node =
            NewNode { kind: Kind::Symlink, mode: 0o777, uid: 0, gid: 0, rdev: 0, target: target.to_vec() };
        self.make_node(who, walked.dir, NewName::Named(name), node, now)?;
        Ok(())
    }

    /// Gives an inode one more name (link(2)).
    ///
    /// # Errors
    /// As link(2).
    pub fn link(
        &mut self,
        who: &Who<'_>,
        node: Location,
        start: Start,
        path: &[u8],
        now: Time,
    ) -> Result<(), Errno> {
        let attr = self.attr(node)?;
        let walked = self.walk_to_name(who, start, path)?;
        let name = absent_file(&walked)?;
        if walked.dir.mount != node.mount {
            return Err(Errno::EXDEV);
        }
        self.writable(walked.dir)?;
        if self.protected.protected_hardlinks != 0 && !may_be_linked(who, &attr) {
            return Err(Errno::EPERM);
        }
        who.may_change(&self.attr(walked.dir)?)?;
        if attr.kind == Kind::Directory {
            return Err(Errno::EPERM);
        }
        self.fs_mut(node)?.link(walked.dir.ino, name, node.ino, now)?;
        self.tell_self(node, attr.kind, IN_ATTRIB);
        self.tell_name(walked.dir, name, attr.kind, IN_CREATE);
        Ok(())
    }

    /// unlink(2), and rmdir(2) with `AT_REMOVEDIR`.
    ///
    /// # Errors
    /// As unlink(2) and rmdir(2).
    pub fn unlink(
        &mut self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        flags: u32,
        now: Time,
    ) -> Result<(), Errno> {
        let directory = flags & AT_REMOVEDIR != 0;
        let walked = self.walk_to_name(who, start, path)?;
        let Some(name) = walked.name.as_deref() else {
            return Err(last_component(path, directory));
        };
        self.writable(walked.dir)?;
        let node = walked.node?;
        let victim = self.attr(node)?;
        if walked.slash && !directory {
            return Err(if victim.kind == Kind::Directory { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        who.may_remove(&self.attr(walked.dir)?, &victim)?;
        match (directory, victim.kind == Kind::Directory) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            _ if self.is_mount_point(node) => return Err(Errno::EBUSY),
            _ => {}
        }
        let fs = self.fs_mut(walked.dir)?;
        if directory {
            fs.rmdir(walked.dir.ino, name, now)?;
            self.remember_removed(node, (walked.dir, name.to_vec()));
        } else {
            fs.unlink(walked.dir.ino, name, now)?;
            self.tell_self(node, victim.kind, IN_ATTRIB);
        }
        self.tell_if_gone(node);
        self.tell_name(walked.dir, name, victim.kind, IN_DELETE);
        Ok(())
    }
}

/// Whether a user may give something one more name: what is another's only if that gives no power over it, as the sysctl
/// `fs.protected_hardlinks` has it (proc_sys_fs(5)), which distributions switch on.
fn may_be_linked(who: &Who<'_>, attr: &Attr) -> bool {
    let harmless = attr.kind == Kind::Regular && attr.mode & S_ISUID == 0 && attr.mode & SET_GID != SET_GID;
    who.owns(attr) || harmless && who.access(attr, READ | WRITE).is_ok()
}

/// The name of something that is to be made and may be a directory.
fn absent(walked: &Walked) -> Result<&[u8], Errno> {
    match (&walked.name, walked.occupant()?) {
        (Some(name), None) => Ok(name),
        _ => Err(Errno::EEXIST),
    }
}

/// The name of something that is to be made and is no directory: the path must not end in a slash.
fn absent_file(walked: &Walked) -> Result<&[u8], Errno> {
    let name = absent(walked)?;
    if walked.slash { Err(Errno::ENOENT) } else { Ok(name) }
}

/// What unlink(2) and rmdir(2) say of a path that ends in `.`, `..` or is the root.
fn last_component(path: &[u8], directory: bool) -> Errno {
    let last = path.split(|byte| *byte == b'/').rfind(|name| !name.is_empty()).unwrap_or_default();
    match (directory, last) {
        (false, _) => Errno::EISDIR,
        (true, b".") => Errno::EINVAL,
        (true, b"..") => Errno::ENOTEMPTY,
        (true, _) => Errno::EBUSY,
    }
}
