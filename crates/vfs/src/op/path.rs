//! The path of a directory (getcwd(2)), and where a link leads.

use crate::fs::DEPTH_MAX;
use crate::mount::{Entry, Location, Vfs};
use crate::mount_table::joined;
use crate::permission::Who;
use crate::pseudo::Jump;
use crate::{Ino, Kind};
use abi::Errno;

impl Vfs {
    /// The path of a directory, from the root.
    ///
    /// # Errors
    /// `ENOENT`: it was removed, or lies outside the root. `ELOOP`: its image shows it in a ring.
    pub fn path_of(&self, root: Location, dir: Location) -> Result<Vec<u8>, Errno> {
        let mut names = Vec::new();
        let mut at = dir;
        while at != root {
            let named = self.below_mount(at).unwrap_or(at);
            let fs = self.fs(named)?;
            if self.is_top(named) || named.ino == fs.root() {
                // The top of the whole tree: `dir` is not below `root`.
                return Err(Errno::ENOENT);
            }
            if names.len() > DEPTH_MAX {
                return Err(Errno::ELOOP);
            }
            names.push(fs.name_of(named.ino)?);
            at = named.with(fs.parent(named.ino)?);
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Ok(path)
    }

    /// The path of a name.
    ///
    /// # Errors
    /// As [`Vfs::path_of`].
    pub(crate) fn path_of_entry(&self, root: Location, (dir, name): &Entry) -> Result<Vec<u8>, Errno> {
        Ok(joined(self.path_of(root, *dir)?, name))
    }

    /// A directory is removed, which was called so.
    pub(crate) fn remember_removed(&mut self, at: Location, entry: Entry) {
        if self.fs(at).is_ok_and(|fs| fs.is_held(at.ino)) {
            self.removed.insert(at.key(), entry);
        }
    }

    /// A directory may not be held any more.
    pub(crate) fn forget_removed(&mut self, at: Location) {
        if self.removed.contains_key(&at.key()) && !self.fs(at).is_ok_and(|fs| fs.is_held(at.ino)) {
            self.removed.remove(&at.key());
        }
    }

    /// As [`Vfs::path_of`], and for a directory that was removed what that was, and that it is gone.
    fn path_of_any(&self, root: Location, dir: Location) -> Result<Vec<u8>, Errno> {
        match (self.path_of(root, dir), self.removed.get(&dir.key())) {
            (Err(Errno::ENOENT), Some(entry)) => {
                let mut path = self.path_of_entry(root, entry)?;
                path.extend(b" (deleted)");
                Ok(path)
            }
            (path, _) => path,
        }
    }

    /// readlink(2). A link that leads to a place rather than along a path shows the path of that place from `root`.
    ///
    /// # Errors
    /// `EINVAL`: no symbolic link. `EACCES`: one of another user's process.
    pub fn readlink(&self, who: &Who<'_>, root: Location, at: Location) -> Result<Vec<u8>, Errno> {
        let Some(Jump { to, name }) = self.jump(who, at)? else { return self.fs(at)?.readlink(at.ino) };
        let Some((dir, name)) = name else { return self.path_of_any(root, to) };
        if self.attr(to)?.kind == Kind::Directory {
            // It knows its own name, until it is removed.
            match self.path_of(root, to) {
                Err(Errno::ENOENT) => {}
                path => return path,
            }
        }
        let gone = self.fs(dir)?.lookup(dir.ino, &name) != Ok(to.ino);
        let mut path = self.path_of_entry(root, &(dir, name))?;
        if gone {
            path.extend(b" (deleted)");
        }
        Ok(path)
    }

    /// What the kernel knows the file by that a link leads to, if that file is in no tree: a walk ends at the link.
    pub fn leads_outside(&self, link: Location) -> Option<Ino> {
        self.fs(link).ok()?.leads_outside(link.ino)
    }

    /// Where a link leads that leads to a place. Only the owner of the process may follow it (proc(5), ptrace(2)).
    pub(crate) fn jump(&self, who: &Who<'_>, link: Location) -> Result<Option<Jump>, Errno> {
        let fs = self.fs(link)?;
        match fs.jump(link.ino) {
            Some(_) if !who.owns(&fs.attr(link.ino)?) => Err(Errno::EACCES),
            jump => Ok(jump),
        }
    }
}
