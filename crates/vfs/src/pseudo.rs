//! File systems whose files the kernel makes up (proc(5)): directories, links, and files that have no bytes here.
//!
//! What a file holds is made when it is opened, by the kernel, which asks [`Vfs::made_up`](crate::Vfs::made_up) whether it is to.
//! Nothing here can be made, moved or removed.

use crate::fs::{EachName, FileSystem};
use crate::mount::Location;
use crate::node::{Attr, Ino, Kind, NewName, NewNode, SetAttr, Time};
use abi::Errno;
use abi::layout::Statfs;

type Result<T> = std::result::Result<T, Errno>;

/// What is known of a made-up inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is: a directory, a regular file or a symbolic link.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The directory above; the root's is the root.
    pub parent: Ino,
    /// Its name there.
    pub name: Vec<u8>,
    /// Where a symbolic link leads.
    pub target: Vec<u8>,
}

/// Where a link leads that leads to a place rather than along a path (proc_pid_fd(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The place.
    pub to: Location,
    /// The directory that it is in and its name there; none: it is a directory that knows its own.
    pub name: Option<(Location, Vec<u8>)>,
}

/// The inodes of such a file system. They may come and go at any time.
pub trait Nodes {
    /// The type in /proc/mounts.
    fn name(&self) -> &'static str;

    /// `f_type` of statfs(2).
    fn magic(&self) -> i64;

    /// The root directory.
    fn root(&self) -> Ino;

    /// An inode; none: there is no such one, or no more.
    fn node(&self, ino: Ino) -> Option<Node>;

    /// What a name in a directory stands for.
    fn child(&self, dir: Ino, name: &[u8]) -> Option<Ino>;

    /// Where a link leads that leads to a place.
    fn jump(&self, _ino: Ino) -> Option<Jump> {
        None
    }

    /// Whether a link leads to a file that is in no tree.
    fn leads_outside(&self, _ino: Ino) -> bool {
        false
    }

    /// What stat(2) says how long a regular file is: nobody knows before it is made.
    fn file_size(&self) -> u64 {
        0
    }

    /// The entries of a directory, in the order of their inodes.
    fn children(&self, dir: Ino) -> Vec<(Ino, Vec<u8>)>;
}

/// A file system of such inodes.
pub struct Pseudo<N> {
    nodes: N,
    born: Time,
}

impl<N: Nodes> Pseudo<N> {
    /// As `nodes` say; all times are `now`.
    pub const fn new(nodes: N, now: Time) -> Self {
        Self { nodes, born: now }
    }

    fn node(&self, ino: Ino) -> Result<Node> {
        self.nodes.node(ino).ok_or(Errno::ESTALE)
    }

    fn directory(&self, ino: Ino) -> Result<Node> {
        match self.nodes.node(ino) {
            // A process that has ended, whose directory somebody is in (proc(5)).
            None => Err(Errno::ENOENT),
            Some(node) if node.kind == Kind::Directory => Ok(node),
            Some(_) => Err(Errno::ENOTDIR),
        }
    }
}

impl<N: Nodes> FileSystem for Pseudo<N> {
    fn name(&self) -> &'static str {
        self.nodes.name()
    }

    fn root(&self) -> Ino {
        self.nodes.root()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        let node = self.node(ino)?;
        let nlink = if node.kind == Kind::Directory { 2 } else { 1 };
        Ok(Attr {
            ino,
            kind: node.kind,
            mode: node.mode,
            nlink,
            uid: node.uid,
            gid: node.gid,
            rdev: 0,
            size: if node.kind == Kind::Regular { self.nodes.file_size() } else { 0 },
            blocks: 0,
            atime: self.born,
            mtime: self.born,
            ctime: self.born,
            btime: self.born,
            acl: None,
        })
    }

    /// O_TRUNC of a file that is written (`echo 1 > /proc/sys/…`) changes nothing and succeeds.
    fn set_attr(&mut self, _ino: Ino, change: &SetAttr, _now: Time) -> Result<()> {
        let truncated = SetAttr { size: Some(0), ..SetAttr::default() };
        if *change == truncated { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.directory(dir)?;
        self.nodes.child(dir, name).ok_or(Errno::ENOENT)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        Ok(self.directory(dir)?.parent)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        Ok(self.directory(dir)?.name)
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, _node: &NewNode, _now: Time) -> Result<Ino> {
        match name {
            // proc(5) has no operation to make files: open(2) answers as if the directory were missing.
            NewName::Named(name) => self.lookup(dir, name).and(Err(Errno::EEXIST)),
            NewName::Unnamed { .. } => Err(Errno::EOPNOTSUPP),
        }
    }

    fn refusal(&self) -> Errno {
        Errno::EPERM
    }

    fn exchange(&mut self, _one: (Ino, &[u8]), _other: (Ino, &[u8]), _now: Time) -> Result<()> {
        Err(Errno::EINVAL)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        match self.node(ino)? {
            node if node.kind == Kind::Symlink => Ok(node.target),
            _ => Err(Errno::EINVAL),
        }
    }

    fn read(&self, _ino: Ino, _offset: u64, _into: &mut [u8]) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    fn write(&mut self, _ino: Ino, _offset: u64, _bytes: &[u8], _now: Time) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    fn allocate(&mut self, _ino: Ino, _mode: u32, _offset: u64, _len: u64, _now: Time) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn seek(&self, _ino: Ino, _offset: u64, _data: bool) -> Result<u64> {
        Err(Errno::EINVAL)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.directory(dir)?;
        // `.` and `..` have cookies 1 and 2.
        let entries =
            self.nodes.children(dir).into_iter().map(|(ino, name)| (ino.saturating_add(2), ino, name));
        for (cookie, ino, name) in entries.filter(|(cookie, ..)| *cookie > after) {
            let kind = self.nodes.node(ino).map_or(Kind::Regular, |node| node.kind);
            if !each(cookie, ino, kind, &name) {
                break;
            }
        }
        Ok(())
    }

    fn hold(&mut self, _ino: Ino, _held: bool) {}

    fn statfs(&self) -> Result<Statfs> {
        Ok(Statfs {
            f_type: self.nodes.magic(),
            f_bsize: 4096,
            f_frsize: 4096,
            f_namelen: 255,
            ..Statfs::default()
        })
    }

    fn jump(&self, ino: Ino) -> Option<Jump> {
        self.nodes.jump(ino)
    }

    fn leads_outside(&self, ino: Ino) -> Option<Ino> {
        self.nodes.leads_outside(ino).then_some(ino)
    }

    fn made_up(&self, ino: Ino) -> Option<(&'static str, Ino)> {
        let is_file = self.nodes.node(ino).is_some_and(|node| node.kind == Kind::Regular);
        is_file.then(|| (self.nodes.name(), ino))
    }
}
