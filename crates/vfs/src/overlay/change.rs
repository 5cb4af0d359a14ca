//! Names that come, go and move.

use super::{Overlay, Real, Result};
use crate::fs::FileSystem;
use crate::node::{Ino, Kind, NewName, NewNode, Time};
use abi::Errno;

impl Overlay {
    /// What a name in a directory stands for: the upper layer's inode of any kind, and what would be seen without that layer.
    fn stands(&self, dir: Ino, name: &[u8]) -> Result<(Option<Ino>, Vec<Real>)> {
        let dirs = self.node(dir)?.reals;
        let (upper, lower) = match dirs.split_first() {
            Some((first, rest)) if self.is_upper(first.0) => (Some(first.1), rest),
            _ => (None, dirs.as_slice()),
        };
        let above = upper.map_or(Ok(None), |upper| self.real_lookup((0, upper), name))?;
        Ok((above, self.seen(lower, name)?))
    }

    fn is_upper_whiteout(&self, above: Option<Ino>) -> Result<bool> {
        above.map_or(Ok(false), |ino| self.is_whiteout((0, ino)))
    }

    pub(super) fn make(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino> {
        let NewName::Named(text) = name else {
            let upper_dir = self.copied(dir, now)?;
            let upper = self.upper_fs()?.create(upper_dir, name, node, now)?;
            return self.enter(vec![(0, upper)], dir, b"");
        };
        if node.kind == Kind::Char && node.rdev == 0 {
            return Err(Errno::EPERM);
        }
        let (above, below) = self.stands(dir, text)?;
        let hidden = self.is_upper_whiteout(above)?;
        if !hidden && (above.is_some() || !below.is_empty()) {
            return Err(Errno::EEXIST);
        }
        let upper_dir = self.copied(dir, now)?;
        let fs = self.upper_fs()?;
        if hidden {
            fs.unlink(upper_dir, text, now)?;
        }
        let upper = fs.create(upper_dir, name, node, now)?;
        if hidden && node.kind == Kind::Directory {
            self.make_opaque(upper, now)?;
        }
        self.enter(vec![(0, upper)], dir, text)
    }

    pub(super) fn make_link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<()> {
        let (above, below) = self.stands(dir, name)?;
        let hidden = self.is_upper_whiteout(above)?;
        if !hidden && (above.is_some() || !below.is_empty()) {
            return Err(Errno::EEXIST);
        }
        let upper = self.copied(ino, now)?;
        let upper_dir = self.copied(dir, now)?;
        let fs = self.upper_fs()?;
        if hidden {
            fs.unlink(upper_dir, name, now)?;
        }
        fs.link(upper_dir, name, upper, now)
    }

    /// Takes a name away, of a directory (which is empty then) or of something else.
    pub(super) fn remove(&mut self, dir: Ino, name: &[u8], directory: bool, now: Time) -> Result<()> {
        let ino = self.lookup(dir, name)?;
        let (above, below) = self.stands(dir, name)?;
        let reals = self.node(ino)?.reals;
        if directory && !self.names(&reals)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        let last = self.loses_last(above, directory)?;
        let upper_dir = self.copied(dir, now)?;
        if let Some(above) = above {
            if directory {
                self.clear(above, now)?;
                self.upper_fs()?.rmdir(upper_dir, name, now)?;
            } else {
                self.upper_fs()?.unlink(upper_dir, name, now)?;
            }
        }
        if !below.is_empty() {
            self.white_out(upper_dir, name, now)?;
        }
        if last {
            self.forget(ino);
        }
        Ok(())
    }

    /// Whether an upper inode is gone when it loses a name.
    fn loses_last(&self, upper: Option<Ino>, directory: bool) -> Result<bool> {
        upper.map_or(Ok(false), |upper| Ok(directory || self.real_attr((0, upper))?.nlink <= 1))
    }

    /// Takes the marks out of an upper directory in which nothing else is.
    fn clear(&mut self, upper: Ino, now: Time) -> Result<()> {
        let mut names = Vec::new();
        self.layer(0).read_dir(upper, 0, &mut |_, _, _, name| {
            names.push(name.to_vec());
            true
        })?;
        for name in names {
            self.upper_fs()?.unlink(upper, &name, now)?;
        }
        Ok(())
    }

    /// Whether this is a directory that consists of more than the upper one.
    fn is_merged(&self, ino: Ino) -> Result<bool> {
        let node = self.node(ino)?;
        let is_directory = self.real_attr(node.reals[0])?.kind == Kind::Directory;
        Ok(is_directory && (node.reals.len() > 1 || self.upper(ino)?.is_none()))
    }

    pub(super) fn move_name(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<()> {
        let ino = self.lookup(from.0, from.1)?;
        if self.is_merged(ino)? {
            return Err(Errno::EXDEV);
        }
        let is_directory = self.real_attr(self.top(ino)?)?.kind == Kind::Directory;
        let (_, source_below) = self.stands(from.0, from.1)?;
        let (target_above, target_below) = self.stands(to.0, to.1)?;
        let hidden = self.is_upper_whiteout(target_above)?;
        let replaced = match self.lookup(to.0, to.1) {
            Ok(replaced) if replaced == ino => return Ok(()),
            Ok(replaced) => Some(replaced),
            Err(Errno::ENOENT) => None,
            Err(errno) => return Err(errno),
        };
        if is_directory
            && let Some(replaced) = replaced
            && !self.names(&self.node(replaced)?.reals)?.is_empty()
        {
            return Err(Errno::ENOTEMPTY);
        }
        let last = !hidden && replaced.is_some() && self.loses_last(target_above, is_directory)?;
        self.copied(ino, now)?;
        let (upper_from, upper_to) = (self.copied(from.0, now)?, self.copied(to.0, now)?);
        if let Some(above) = target_above.filter(|_| is_directory && !hidden) {
            self.clear(above, now)?;
        } else if hidden {
            self.upper_fs()?.unlink(upper_to, to.1, now)?;
        }
        if is_directory && (hidden || !target_below.is_empty()) {
            let upper = self.upper(ino)?.ok_or(Errno::ESTALE)?;
            self.make_opaque(upper, now)?;
        }
        self.upper_fs()?.rename((upper_from, from.1), (upper_to, to.1), now)?;
        if !source_below.is_empty() {
            self.white_out(upper_from, from.1, now)?;
        }
        if let Some(node) = self.nodes.get_mut().nodes.get_mut(&ino) {
            (node.dir, node.name) = (to.0, to.1.to_vec());
        }
        if let Some(replaced) = replaced.filter(|_| last) {
            self.forget(replaced);
        }
        Ok(())
    }

    pub(super) fn swap(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), now: Time) -> Result<()> {
        let inos = [self.lookup(one.0, one.1)?, self.lookup(other.0, other.1)?];
        for ino in inos {
            if self.is_merged(ino)? {
                return Err(Errno::EXDEV);
            }
        }
        let below = [self.stands(one.0, one.1)?.1, self.stands(other.0, other.1)?.1];
        let uppers = [self.copied(inos[0], now)?, self.copied(inos[1], now)?];
        let dirs = [self.copied(one.0, now)?, self.copied(other.0, now)?];
        for (at, upper) in uppers.into_iter().enumerate() {
            // Each goes where the other has stood.
            if self.real_attr((0, upper))?.kind == Kind::Directory && !below[1 - at].is_empty() {
                self.make_opaque(upper, now)?;
            }
        }
        self.upper_fs()?.exchange((dirs[0], one.1), (dirs[1], other.1), now)?;
        for (ino, to) in inos.into_iter().zip([other, one]) {
            if let Some(node) = self.nodes.get_mut().nodes.get_mut(&ino) {
                (node.dir, node.name) = (to.0, to.1.to_vec());
            }
        }
        Ok(())
    }
}
