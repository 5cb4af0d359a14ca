//! Making, removing and moving names.

use crate::mount::{Location, Vfs};
use crate::node::{Attr, Kind, NewNode, Time};
use crate::permission::{WRITE, Who};
use crate::walk::{Follow, Start, Walked};
use abi::Errno;
use abi::raw::general::{AT_REMOVEDIR, RENAME_EXCHANGE, RENAME_NOREPLACE};

/// Longest target of a symbolic link.
const TARGET_MAX: usize = 4095;

impl Vfs {
    /// mkdir(2); the umask is taken off `mode` already.
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
        let walked = self.walk(who, start, path, Follow::No, 0)?;
        let name = absent(&walked)?;
        self.make(who, walked.dir, Some(name), Kind::Directory, mode & 0o1777, now)?;
        Ok(())
    }

    /// mknod(2), and the name of a socket that is bound; the umask is taken off `mode` already.
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
        let walked = self.walk(who, start, path, Follow::No, 0)?;
        let name = absent_file(&walked)?;
        if matches!(kind, Kind::Char | Kind::Block) && !who.is_root() {
            return Err(Errno::EPERM);
        }
        let node = NewNode { kind, mode: mode & 0o7777, uid: 0, gid: 0, rdev, target: Vec::new() };
        self.make_node(who, walked.dir, Some(name), node, now)
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
        let walked = self.walk(who, start, path, Follow::No, 0)?;
        let name = absent_file(&walked)?;
        let node =
            NewNode { kind: Kind::Symlink, mode: 0o777, uid: 0, gid: 0, rdev: 0, target: target.to_vec() };
        self.make_node(who, walked.dir, Some(name), node, now)?;
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
        let walked = self.walk(who, start, path, Follow::No, 0)?;
        let name = absent_file(&walked)?;
        if walked.dir.mount != node.mount {
            return Err(Errno::EXDEV);
        }
        who.may_change(&self.attr(walked.dir)?)?;
        if attr.kind == Kind::Directory {
            return Err(Errno::EPERM);
        }
        self.fs_mut(node)?.link(walked.dir.ino, name, node.ino, now)
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
        let walked = self.walk(who, start, path, Follow::No, 0)?;
        let Some(name) = walked.name.as_deref() else {
            return Err(last_component(path, directory));
        };
        let node = walked.found()?;
        let victim = self.attr(node)?;
        who.may_remove(&self.attr(walked.dir)?, &victim)?;
        match (directory, victim.kind == Kind::Directory) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            (true, true) if self.is_mount_point(node) => return Err(Errno::EBUSY),
            _ => {}
        }
        let fs = self.fs_mut(walked.dir)?;
        if directory { fs.rmdir(walked.dir.ino, name, now) } else { fs.unlink(walked.dir.ino, name, now) }
    }

    /// renameat2(2).
    ///
    /// # Errors
    /// As renameat2(2).
    pub fn rename(
        &mut self,
        who: &Who<'_>,
        from: (Start, &[u8]),
        to: (Start, &[u8]),
        flags: u32,
        now: Time,
    ) -> Result<(), Errno> {
        let exchange = flags & RENAME_EXCHANGE != 0;
        if flags & !(RENAME_NOREPLACE | RENAME_EXCHANGE) != 0 || (exchange && flags & RENAME_NOREPLACE != 0) {
            return Err(Errno::EINVAL);
        }
        let source = self.walk(who, from.0, from.1, Follow::No, 0)?;
        let target = self.walk(who, to.0, to.1, Follow::No, 0)?;
        let names = (source.name.as_deref(), target.name.as_deref());
        let (Some(old), Some(new)) = names else { return Err(Errno::EBUSY) };
        if source.dir.mount != target.dir.mount {
            return Err(Errno::EXDEV);
        }
        let node = source.found()?;
        let moved = self.attr(node)?;
        if target.slash && moved.kind != Kind::Directory && !exchange {
            return Err(Errno::ENOTDIR);
        }
        match target.node {
            Some(_) if flags & RENAME_NOREPLACE != 0 => return Err(Errno::EEXIST),
            None if exchange => return Err(Errno::ENOENT),
            _ => {}
        }
        // A directory cannot go into itself, nor anything replace a directory above it.
        self.not_above(node, target.dir, Errno::EINVAL)?;
        if let Some(other) = target.node {
            self.not_above(other, source.dir, if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY })?;
        }
        if target.node == Some(node) {
            return Ok(());
        }
        self.may_move(who, &source, &target, &moved, exchange)?;
        let fs = self.fs_mut(source.dir)?;
        let (one, other) = ((source.dir.ino, old), (target.dir.ino, new));
        if exchange { fs.exchange(one, other, now) } else { fs.rename(one, other, now) }
    }

    fn may_move(
        &self,
        who: &Who<'_>,
        source: &Walked,
        target: &Walked,
        moved: &Attr,
        exchange: bool,
    ) -> Result<(), Errno> {
        let (from, to) = (self.attr(source.dir)?, self.attr(target.dir)?);
        who.may_remove(&from, moved)?;
        let directory = moved.kind == Kind::Directory;
        match target.node {
            None => who.may_change(&to)?,
            Some(node) => {
                let victim = self.attr(node)?;
                who.may_remove(&to, &victim)?;
                match (directory, victim.kind == Kind::Directory) {
                    (true, false) if !exchange => return Err(Errno::ENOTDIR),
                    (false, true) if !exchange => return Err(Errno::EISDIR),
                    _ if self.is_mount_point(node) => return Err(Errno::EBUSY),
                    _ => {}
                }
            }
        }
        if self.is_mount_point(source.found()?) {
            return Err(Errno::EBUSY);
        }
        // Its `..` changes, which is a write to the directory itself.
        if directory && source.dir != target.dir { who.access(moved, WRITE) } else { Ok(()) }
    }

    /// Fails with `errno` if `node` is `dir` or a directory above it.
    fn not_above(&self, node: Location, dir: Location, errno: Errno) -> Result<(), Errno> {
        let fs = self.fs(dir)?;
        let mut at = dir.ino;
        loop {
            if node.mount == dir.mount && node.ino == at {
                return Err(errno);
            }
            let parent = fs.parent(at)?;
            if parent == at {
                return Ok(());
            }
            at = parent;
        }
    }
}

/// The name of something that is to be made and may be a directory.
fn absent(walked: &Walked) -> Result<&[u8], Errno> {
    match (&walked.name, walked.node) {
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
