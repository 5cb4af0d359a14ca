//! Path walking (path_resolution(7)).

use crate::mount::{Location, Vfs};
use crate::node::Kind;
use crate::permission::{EXECUTE, Who};
use abi::Errno;
use abi::raw::general::{RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS};
use std::collections::VecDeque;

const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4096;
/// More symbolic links in one walk are a loop (`MAXSYMLINKS`).
const SYMLINKS_MAX: u32 = 40;

/// Where walks start.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// `/`.
    pub root: Location,
    /// Where relative paths start.
    pub dir: Location,
}

/// What happens to a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// It is followed.
    Yes,
    /// It is what was meant.
    No,
}

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct Walked {
    /// The directory of the last component.
    pub(crate) dir: Location,
    /// The last component; none: the path ends in `/`, `.` or `..`, so `node` is a directory without a name here.
    pub(crate) name: Option<Vec<u8>>,
    /// What it stands for, if it exists.
    pub(crate) node: Option<Location>,
    /// The path ended in a slash: only a directory will do.
    pub(crate) slash: bool,
}

impl Walked {
    /// What the path stands for.
    ///
    /// # Errors
    /// `ENOENT`.
    pub(crate) fn found(&self) -> Result<Location, Errno> {
        self.node.ok_or(Errno::ENOENT)
    }
}

struct Walker<'a> {
    vfs: &'a Vfs,
    who: &'a Who<'a>,
    root: Location,
    at: Location,
    todo: VecDeque<Vec<u8>>,
    symlinks: u32,
    resolve: u64,
}

impl Vfs {
    /// Walks a path to what it stands for.
    ///
    /// # Errors
    /// As path_resolution(7): `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`.
    pub fn lookup(
        &self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        follow: Follow,
    ) -> Result<Location, Errno> {
        self.walk(who, start, path, follow, 0)?.found()
    }

    pub(crate) fn walk(
        &self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        follow: Follow,
        resolve: u64,
    ) -> Result<Walked, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let scoped = resolve & u64::from(RESOLVE_IN_ROOT | RESOLVE_BENEATH) != 0;
        let root = if scoped { start.dir } else { start.root };
        let mut walker =
            Walker { vfs: self, who, root, at: start.dir, todo: VecDeque::new(), symlinks: 0, resolve };
        walker.push(path)?;
        walker.run(path.ends_with(b"/"), follow)
    }
}

impl Walker<'_> {
    /// Puts a path, or a symbolic link's target, in front of what is left to walk.
    fn push(&mut self, path: &[u8]) -> Result<(), Errno> {
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if path.starts_with(b"/") {
            if self.resolve & u64::from(RESOLVE_BENEATH) != 0 {
                return Err(Errno::EXDEV);
            }
            self.at = self.root;
        }
        for name in path.split(|byte| *byte == b'/').rev().filter(|name| !name.is_empty()) {
            if name.len() > NAME_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            self.todo.push_front(name.to_vec());
        }
        Ok(())
    }

    fn run(&mut self, slash: bool, follow: Follow) -> Result<Walked, Errno> {
        let mut slash = slash;
        while let Some(name) = self.todo.pop_front() {
            let dir = self.search()?;
            match name.as_slice() {
                b"." => continue,
                b".." => {
                    self.up()?;
                    continue;
                }
                _ => {}
            }
            let last = self.todo.is_empty();
            let node = match self.vfs.fs(dir)?.lookup(dir.ino, &name) {
                Ok(ino) => self.vfs.covered(Location { mount: dir.mount, ino }),
                Err(Errno::ENOENT) if last => {
                    return Ok(Walked { dir, name: Some(name), node: None, slash });
                }
                Err(errno) => return Err(errno),
            };
            let attr = self.vfs.attr(node)?;
            if attr.kind == Kind::Symlink && (!last || slash || follow == Follow::Yes) {
                slash |= self.enter_symlink(node, last)?;
                continue;
            }
            if last {
                if slash && attr.kind != Kind::Directory {
                    return Err(Errno::ENOTDIR);
                }
                return Ok(Walked { dir, name: Some(name), node: Some(node), slash });
            }
            self.at = node;
        }
        self.is_directory(self.at)?;
        Ok(Walked { dir: self.at, name: None, node: Some(self.at), slash: true })
    }

    /// The directory in which the next name is looked up.
    fn search(&self) -> Result<Location, Errno> {
        let attr = self.is_directory(self.at)?;
        self.who.access(&attr, EXECUTE)?;
        Ok(self.at)
    }

    fn is_directory(&self, at: Location) -> Result<crate::Attr, Errno> {
        let attr = self.vfs.attr(at)?;
        if attr.kind == Kind::Directory { Ok(attr) } else { Err(Errno::ENOTDIR) }
    }

    /// `..`: not above the root.
    fn up(&mut self) -> Result<(), Errno> {
        if self.at == self.root {
            return match self.resolve & u64::from(RESOLVE_BENEATH) {
                0 => Ok(()),
                _ => Err(Errno::EXDEV),
            };
        }
        let at = self.vfs.below_mount(self.at).unwrap_or(self.at);
        let ino = self.vfs.fs(at)?.parent(at.ino)?;
        self.at = Location { mount: at.mount, ino };
        Ok(())
    }

    /// Goes where a symbolic link leads. Answers whether the walk's end must be a directory by its target.
    fn enter_symlink(&mut self, link: Location, last: bool) -> Result<bool, Errno> {
        self.symlinks += 1;
        if self.symlinks > SYMLINKS_MAX || self.resolve & u64::from(RESOLVE_NO_SYMLINKS) != 0 {
            return Err(Errno::ELOOP);
        }
        let target = self.vfs.fs(link)?.readlink(link.ino)?;
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        self.push(&target)?;
        Ok(last && target.ends_with(b"/"))
    }
}
