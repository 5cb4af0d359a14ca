//! Copies of what is below, made in the upper directory before it is changed there.

use super::merged::is_mark;
use super::{MARKS, OPAQUE, Overlay, Real, Result};
use crate::fs::FileSystem;
use crate::node::{Attr, Ino, Kind, NewName, NewNode, SetAttr, Time};
use abi::Errno;

/// The largest file that is copied: it is held in memory meanwhile.
const SIZE_MAX: u64 = 1 << 30;
/// Bytes that are written at a time; those that are zero are left out.
const CHUNK: usize = 64 << 10;

impl Overlay {
    pub(super) fn upper_fs(&mut self) -> Result<&mut dyn FileSystem> {
        if self.writable { Ok(&mut self.layers[0].fs) } else { Err(Errno::EROFS) }
    }

    /// The upper inode, made if there is none yet, and all directories above it.
    pub(super) fn copied(&mut self, ino: Ino, now: Time) -> Result<Ino> {
        self.copied_as_far_as(ino, u64::MAX, now)
    }

    /// As [`Overlay::copied`], of a file's bytes so many alone.
    pub(super) fn copied_as_far_as(&mut self, ino: Ino, size: u64, now: Time) -> Result<Ino> {
        if !self.writable {
            return Err(Errno::EROFS);
        }
        if let Some(upper) = self.upper(ino)? {
            return Ok(upper);
        }
        let node = self.node(ino)?;
        let from = node.reals[0];
        let attr = self.real_attr(from)?;
        let target =
            if attr.kind == Kind::Symlink { self.layer(from.0).readlink(from.1)? } else { Vec::new() };
        let bytes =
            if attr.kind == Kind::Regular { self.bytes(from, attr.size.min(size))? } else { Vec::new() };
        let xattrs = self.xattrs_of(from)?;
        let default_acl = match attr.kind {
            Kind::Directory => self.layer(from.0).default_acl(from.1)?,
            _ => None,
        };
        let dir = self.copied(node.dir, now)?;
        let dir_attr = self.layer(0).attr(dir)?;
        let Attr { kind, mode, uid, gid, rdev, .. } = attr;
        let new = NewNode { kind, mode, uid, gid, rdev, target };
        let upper_fs = self.upper_fs()?;
        let upper = upper_fs.create(dir, NewName::Named(&node.name), &new, now)?;
        let filled = fill(upper_fs, upper, &bytes, attr.size.min(size), &xattrs, now).and_then(|()| {
            if let Some(acl) = default_acl {
                upper_fs.set_acl(upper, true, Some(acl), now)?;
            }
            finish(upper_fs, upper, &attr, now)
        });
        // Nobody has changed the directory.
        let times =
            SetAttr { atime: Some(dir_attr.atime), mtime: Some(dir_attr.mtime), ..SetAttr::default() };
        upper_fs.set_attr(dir, &times, now)?;
        if let Err(errno) = filled {
            if errno != crate::remote::WAITS {
                let _ = if kind == Kind::Directory {
                    upper_fs.rmdir(dir, &node.name, now)
                } else {
                    upper_fs.unlink(dir, &node.name, now)
                };
            }
            return Err(errno);
        }
        let is_directory = kind == Kind::Directory;
        self.raised(ino, upper, is_directory);
        // A call that has to wait once more would get the answers of before the copy again.
        self.layer(0).starts_over()?;
        Ok(upper)
    }

    /// The inode has an upper one now.
    fn raised(&mut self, ino: Ino, upper: Ino, is_directory: bool) {
        let nodes = self.nodes.get_mut();
        let Some(node) = nodes.nodes.get_mut(&ino) else { return };
        let (below, holders) = (node.reals[0], node.holders);
        if is_directory {
            node.reals.insert(0, (0, upper));
        } else {
            node.reals = vec![(0, upper)];
        }
        nodes.by_real.remove(&below);
        nodes.by_real.insert((0, upper), ino);
        if holders > 0 {
            self.layers[0].fs.hold(upper, true);
            self.layers[below.0].fs.hold(below.1, false);
        }
    }

    fn bytes(&self, (layer, ino): Real, size: u64) -> Result<Vec<u8>> {
        if size > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| Errno::EFBIG)?];
        let mut done = 0;
        while done < bytes.len() {
            match self.layer(layer).read(ino, done as u64, &mut bytes[done..])? {
                0 => return Err(Errno::EIO),
                moved => done += moved,
            }
        }
        Ok(bytes)
    }

    fn xattrs_of(&self, (layer, ino): Real) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let names = match self.layer(layer).xattrs(ino) {
            Err(Errno::EOPNOTSUPP) => Vec::new(),
            names => names?,
        };
        let names = names.into_iter().filter(|name| !is_mark(name));
        names
            .map(|name| Ok((self.layer(layer).xattr(ino, &name)?, name)))
            .map(|one| one.map(|(value, name)| (name, value)))
            .collect()
    }

    /// Hides a name of below.
    pub(super) fn white_out(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        let node = NewNode { kind: Kind::Char, mode: 0, uid: 0, gid: 0, rdev: 0, target: Vec::new() };
        self.upper_fs()?.create(dir, NewName::Named(name), &node, now).map(drop)
    }

    /// Hides all that is below an upper directory.
    pub(super) fn make_opaque(&mut self, upper: Ino, now: Time) -> Result<()> {
        let fs = self.upper_fs()?;
        let outcome = fs.set_xattr(upper, &[MARKS[0], OPAQUE].concat(), Some(b"y"), now);
        match outcome {
            // Only root may on the host.
            Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::EACCES) => {
                fs.set_xattr(upper, &[MARKS[1], OPAQUE].concat(), Some(b"y"), now)
            }
            outcome => outcome,
        }
    }
}

fn fill(
    fs: &mut dyn FileSystem,
    upper: Ino,
    bytes: &[u8],
    size: u64,
    xattrs: &[(Vec<u8>, Vec<u8>)],
    now: Time,
) -> Result<()> {
    for (chunk, number) in bytes.chunks(CHUNK).zip(0..) {
        let mut rest = chunk;
        while !rest.is_empty() && chunk.iter().any(|byte| *byte != 0) {
            let done = number * CHUNK + (chunk.len() - rest.len());
            let moved = fs.write(upper, done as u64, rest, now)?;
            rest = rest.get(moved..).ok_or(Errno::EIO)?;
            if moved == 0 {
                return Err(Errno::ENOSPC);
            }
        }
    }
    if !bytes.is_empty() {
        fs.set_attr(upper, &SetAttr { size: Some(size), ..SetAttr::default() }, now)?;
    }
    for (name, value) in xattrs {
        match fs.set_xattr(upper, name, Some(value), now) {
            // What the upper file system cannot keep is lost, as on Linux.
            Ok(()) | Err(Errno::EOPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Owner, mode, list and times as they were.
fn finish(fs: &mut dyn FileSystem, upper: Ino, attr: &Attr, now: Time) -> Result<()> {
    if let Some(acl) = attr.acl.clone() {
        match fs.set_acl(upper, false, Some(acl), now) {
            Ok(()) | Err(Errno::EOPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    let mode = (attr.kind != Kind::Symlink).then_some(attr.mode);
    let change = SetAttr {
        mode,
        uid: Some(attr.uid),
        gid: Some(attr.gid),
        atime: Some(attr.atime),
        mtime: Some(attr.mtime),
        size: None,
    };
    fs.set_attr(upper, &change, now)
}
