//! Path walking (path_resolution(7)).

use crate::mount::{Location, Point, Vfs};
use crate::node::Kind;
use crate::permission::{EXECUTE, Who};
use abi::Errno;
use abi::prefix::{RumpPath, under};
use abi::raw::general::{
    RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
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

/// What is asked of a path's last component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// What it leads to.
    Followed,
    /// What it is; a symbolic link is followed if a slash stands behind it.
    Itself,
    /// What it leads to or, for `Follow::No`, what it is, made if it is missing (`O_CREAT`): no directory, so no slash behind it.
    OrNew(Follow),
    /// What the name is, to make, remove or move it: never followed, and what a slash behind it means is the caller's.
    Name,
}

impl Last {
    const fn is_followed(self) -> bool {
        matches!(self, Self::Followed | Self::OrNew(Follow::Yes))
    }
}

impl From<Follow> for Last {
    fn from(follow: Follow) -> Self {
        match follow {
            Follow::Yes => Self::Followed,
            Follow::No => Self::Itself,
        }
    }
}

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct Walked {
    /// The directory of the last component.
    pub(crate) dir: Location,
    /// The last component; none: the path ends in `/`, `.` or `..`, so `node` is a directory without a name here.
    pub(crate) name: Option<Vec<u8>>,
    /// What it stands for; or `ENOENT`, or why it cannot exist (`ENAMETOOLONG`).
    pub(crate) node: Result<Location, Errno>,
    /// The path ended in a slash: only a directory will do.
    pub(crate) slash: bool,
}

impl Walked {
    /// What stands there already; none: the name is free.
    pub(crate) fn occupant(&self) -> Result<Option<Location>, Errno> {
        match self.node {
            Err(Errno::ENOENT) => Ok(None),
            node => node.map(Some),
        }
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
        self.walk(who, start, path, follow.into(), 0)?.node
    }

    /// As [`Vfs::lookup`], and by which name it was found.
    ///
    /// # Errors
    /// As [`Vfs::lookup`].
    pub fn lookup_point(
        &self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        follow: Follow,
    ) -> Result<Point, Errno> {
        let walked = self.walk(who, start, path, follow.into(), 0)?;
        Ok(Point { at: walked.node?, entry: walked.name.map(|name| (walked.dir, name)) })
    }

    /// Walks to a name that is to be made, removed or moved.
    pub(crate) fn walk_to_name(&self, who: &Who<'_>, start: Start, path: &[u8]) -> Result<Walked, Errno> {
        self.walk(who, start, path, Last::Name, 0)
    }

    pub(crate) fn walk(
        &self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        last: Last,
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
        let walked = walker.run(path.ends_with(b"/"), last)?;
        if let (Some(name), Ok(node)) = (&walked.name, walked.node) {
            self.notices.found(node, || (walked.dir, name.clone()));
        }
        Ok(walked)
    }
}

impl Walker<'_> {
    /// Puts a path, or a symbolic link's target, in front of what is left to walk.
    fn push(&mut self, path: &[u8]) -> Result<(), Errno> {
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if path.starts_with(b"/") {
            if self.has(RESOLVE_BENEATH) {
                return Err(Errno::EXDEV);
            }
            self.enter(self.root)?;
        }
        for name in path.split(|byte| *byte == b'/').rev().filter(|name| !name.is_empty()) {
            self.todo.push_front(name.to_vec());
        }
        Ok(())
    }

    fn has(&self, flag: u32) -> bool {
        self.resolve & u64::from(flag) != 0
    }

    fn run(&mut self, slash: bool, wanted: Last) -> Result<Walked, Errno> {
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
            if last && slash && matches!(wanted, Last::OrNew(_)) {
                return Err(Errno::EISDIR);
            }
            let node = match self.look_up(dir, &name) {
                Ok(node) => node,
                Err(errno @ (Errno::ENOENT | Errno::ENAMETOOLONG)) if last => {
                    return Ok(Walked { dir, name: Some(name), node: Err(errno), slash });
                }
                Err(errno) => return Err(errno),
            };
            if last && wanted == Last::Name {
                return Ok(Walked { dir, name: Some(name), node: Ok(node), slash });
            }
            let kind = self.vfs.attr(node)?.kind;
            if kind == Kind::Symlink && (!last || slash || wanted.is_followed()) {
                if let Some(to) = self.jump(node)? {
                    self.enter(to)?;
                    if !last {
                        continue;
                    }
                    if slash {
                        self.is_directory(to)?;
                    }
                    return Ok(Walked { dir: to, name: None, node: Ok(to), slash });
                }
                if self.vfs.leads_outside(node).is_some() {
                    self.may_jump()?;
                    if !last || slash {
                        return Err(Errno::ENOTDIR);
                    }
                    return Ok(Walked { dir, name: None, node: Ok(node), slash });
                }
                if last {
                    self.vfs.may_follow(self.who, dir, node)?;
                }
                slash |= self.enter_symlink(node, last)?;
                continue;
            }
            self.enter(node)?;
            if last {
                if slash && kind != Kind::Directory {
                    return Err(Errno::ENOTDIR);
                }
                return Ok(Walked { dir, name: Some(name), node: Ok(node), slash });
            }
        }
        self.is_directory(self.at)?;
        Ok(Walked { dir: self.at, name: None, node: Ok(self.at), slash: true })
    }

    fn look_up(&self, dir: Location, name: &[u8]) -> Result<Location, Errno> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let ino = self.vfs.fs(dir)?.lookup(dir.ino, name)?;
        Ok(self.vfs.covered(dir.with(ino)))
    }

    fn enter(&mut self, to: Location) -> Result<(), Errno> {
        if to.mount != self.at.mount && self.has(RESOLVE_NO_XDEV) {
            return Err(Errno::EXDEV);
        }
        if to.mount != self.at.mount {
            self.vfs.used(to);
        }
        self.at = to;
        Ok(())
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
            return if self.has(RESOLVE_BENEATH) { Err(Errno::EXDEV) } else { Ok(()) };
        }
        let at = self.vfs.below_mount(self.at).unwrap_or(self.at);
        if self.vfs.is_top(at) {
            // Nothing is above a mount that is not in the tree any more.
            return Ok(());
        }
        let ino = self.vfs.fs(at)?.parent(at.ino)?;
        self.enter(self.vfs.covered(at.with(ino)))
    }

    /// Where a link leads that leads to a place (openat2(2), RESOLVE_NO_MAGICLINKS).
    fn jump(&self, link: Location) -> Result<Option<Location>, Errno> {
        let Some(jump) = self.vfs.jump(self.who, link)? else { return Ok(None) };
        self.may_jump()?;
        Ok(Some(jump.to))
    }

    fn may_jump(&self) -> Result<(), Errno> {
        if self.has(RESOLVE_NO_MAGICLINKS) || self.has(RESOLVE_NO_SYMLINKS) {
            return Err(Errno::ELOOP);
        }
        if self.has(RESOLVE_BENEATH) || self.has(RESOLVE_IN_ROOT) {
            return Err(Errno::EXDEV);
        }
        Ok(())
    }

    /// Goes where a symbolic link leads. Answers whether the walk's end must be a directory by its target.
    fn enter_symlink(&mut self, link: Location, last: bool) -> Result<bool, Errno> {
        self.symlinks += 1;
        let refused = self.has(RESOLVE_NO_SYMLINKS) || self.vfs.flags(link).follows_no_symlinks();
        if self.symlinks > SYMLINKS_MAX || refused {
            return Err(Errno::ELOOP);
        }
        let target = self.vfs.fs(link)?.readlink(link.ino)?;
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        self.push(self.without_prefix(&target))?;
        Ok(last && target.ends_with(b"/"))
    }

    /// A link's target without the prefix that its maker writes before the paths of this tree, unless they lead through a directory of
    /// that name here: `ln -s /rump/file /rump/link` makes a link that leads somewhere.
    fn without_prefix<'t>(&self, target: &'t [u8]) -> &'t [u8] {
        let Some(cut) = (!self.who.prefix.is_empty()).then(|| under(self.who.prefix, target)).flatten()
        else {
            return target;
        };
        let first = self.who.prefix.split(|byte| *byte == b'/').find(|name| !name.is_empty());
        if first.is_some_and(|name| self.look_up(self.root, name).is_ok()) {
            return target;
        }
        match cut {
            RumpPath::Root => b"/",
            RumpPath::From(at) => target.get(at..).unwrap_or_default(),
        }
    }
}
