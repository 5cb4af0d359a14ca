//! The rows as a tree of inodes.
//!
//! An inode's number is the process's in the upper half (0: what is there once) and in the lower its place in that tree, counted from 1,
//! or with [`LINK`] or [`INFO`] the number of a descriptor.

use super::table::{Content, KERNEL, TASK, sysctls};
use super::view::{self, View};
use crate::file::OpenFile;
use crate::planted::{Entry, Tree};
use crate::process::Pid;
use std::rc::Rc;
use std::sync::LazyLock;
use vfs::pseudo::{Jump, Node, Nodes};
use vfs::{Ino, Kind};

/// linux/magic.h
const PROC_SUPER_MAGIC: i64 = 0x9fa0;
const ROOT: Ino = 1;
/// Set in the number of a descriptor's link ...
const LINK: Ino = 1 << 31;
/// ... and in that of the file about it.
const INFO: Ino = 1 << 30;
/// No descriptor has so many bits.
const FD_MASK: Ino = INFO - 1;

static KERNEL_TREE: LazyLock<Tree<Content>> = LazyLock::new(|| {
    let mut tree = Tree::new(Content::Directory);
    KERNEL.iter().for_each(|(path, mode, content)| tree.plant(0, path, *mode, *content));
    let sys = tree.directory(0, "sys");
    sysctls().for_each(|(path, mode, content)| tree.plant(sys, path, mode, content));
    tree
});

static TASK_TREE: LazyLock<Tree<Content>> = LazyLock::new(|| {
    let mut tree = Tree::new(Content::Directory);
    TASK.iter().for_each(|(path, mode, content)| tree.plant(0, path, *mode, *content));
    tree
});

/// The tree of a process, or of what is there once.
fn tree_of(pid: Pid) -> &'static Tree<Content> {
    if pid.0 == 0 { &KERNEL_TREE } else { &TASK_TREE }
}

/// The process that an inode is of (0: none) and its entry.
fn parts(ino: Ino) -> Option<(Pid, usize, &'static Entry<Content>)> {
    let pid = Pid(u32::try_from(ino >> 32).ok()?);
    let at = usize::try_from(ino & 0xffff_ffff).ok()?.checked_sub(1)?;
    Some((pid, at, tree_of(pid).get(at)?))
}

fn number(pid: Pid, at: usize) -> Ino {
    Ino::from(pid.0) << 32 | (at as u64 + 1)
}

/// The process and the descriptor that a link, or a file about it, is for.
fn descriptor(ino: Ino, kind: Ino) -> Option<(Pid, u32)> {
    let pid = Pid(u32::try_from(ino >> 32).ok()?);
    let fd = u32::try_from(ino & FD_MASK).ok()?;
    (pid.0 != 0 && ino & (LINK | INFO) == kind).then_some((pid, fd))
}

/// The file of a descriptor's link.
pub(super) fn file(view: &View, ino: Ino) -> Option<Rc<OpenFile>> {
    let (pid, fd) = descriptor(ino, LINK)?;
    view.file(pid, fd)
}

/// The process and the descriptor that a file tells about.
pub(super) fn told_of(ino: Ino) -> Option<(Pid, u32)> {
    descriptor(ino, INFO)
}

/// What a directory of descriptors sets in their numbers.
fn kind_in(entry: &Entry<Content>) -> Option<Ino> {
    match entry.content {
        Content::Descriptors => Some(LINK),
        Content::DescriptorInfos => Some(INFO),
        _ => None,
    }
}

/// A directory of a process's, by its name.
fn directory_of(pid: Pid, name: &[u8]) -> Option<Ino> {
    TASK_TREE.find(0, name).map(|at| number(pid, at))
}

/// A number as it is written without signs and leading zeros.
fn decimal(name: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(name).ok()?;
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// What an inode stands for, and the process that it is of.
pub(super) fn content(ino: Ino) -> Option<(Pid, Content)> {
    parts(ino).map(|(pid, _, entry)| (pid, entry.content))
}

/// The file system.
pub(crate) struct Proc {
    view: Rc<View>,
}

impl Proc {
    pub(crate) const fn new(view: Rc<View>) -> Self {
        Self { view }
    }

    /// User and group of a process; none: it has ended.
    fn owner(&self, pid: Pid) -> Option<(u32, u32)> {
        if pid.0 == 0 {
            Some(self.view.owner.get())
        } else {
            self.view.tasks.borrow().get(&pid).map(|seen| (seen.uid, seen.gid))
        }
    }

    /// The link of a descriptor: its permission bits say how the file was opened (proc_pid_fd(5)).
    fn descriptor_node(&self, pid: Pid, fd: u32) -> Option<Node> {
        let (uid, gid) = self.owner(pid)?;
        let file = self.view.file(pid, fd)?;
        let (reads, writes) = (file.check_reads().is_ok(), file.check_writes().is_ok());
        let mode = if reads { 0o500 } else { 0 } | if writes { 0o300 } else { 0 };
        let (parent, name, target) =
            (directory_of(pid, b"fd")?, fd.to_string().into(), view::target(&file).into());
        Some(Node { kind: Kind::Symlink, mode, uid, gid, parent, name, target })
    }

    /// The file about a descriptor.
    fn info_node(&self, pid: Pid, fd: u32) -> Option<Node> {
        let (uid, gid) = self.owner(pid)?;
        self.view.file(pid, fd)?;
        let (parent, name) = (directory_of(pid, b"fdinfo")?, fd.to_string().into());
        Some(Node { kind: Kind::Regular, mode: 0o444, uid, gid, parent, name, target: Vec::new() })
    }
}

impl Nodes for Proc {
    fn name(&self) -> &'static str {
        "proc"
    }

    fn magic(&self) -> i64 {
        PROC_SUPER_MAGIC
    }

    fn root(&self) -> Ino {
        ROOT
    }

    fn node(&self, ino: Ino) -> Option<Node> {
        if let Some((pid, fd)) = descriptor(ino, LINK) {
            return self.descriptor_node(pid, fd);
        }
        if let Some((pid, fd)) = told_of(ino) {
            return self.info_node(pid, fd);
        }
        let (pid, at, entry) = parts(ino)?;
        let (uid, gid) = self.owner(pid)?;
        let (kind, target) = match entry.content {
            Content::Directory | Content::Descriptors | Content::DescriptorInfos => {
                (Kind::Directory, Vec::new())
            }
            Content::Place(_) => (Kind::Symlink, Vec::new()),
            Content::Link(target) => (Kind::Symlink, target.into()),
            Content::Current => (Kind::Symlink, self.view.current.get().0.to_string().into()),
            _ => (Kind::Regular, Vec::new()),
        };
        let is_task = pid.0 != 0 && at == 0;
        let parent = if is_task { ROOT } else { number(pid, entry.parent) };
        let name = if is_task { pid.0.to_string().into() } else { entry.name.into() };
        Some(Node { kind, mode: entry.mode, uid, gid, parent, name, target })
    }

    fn child(&self, dir: Ino, name: &[u8]) -> Option<Ino> {
        let (pid, dir_at, entry) = parts(dir)?;
        if let Some(kind) = kind_in(entry) {
            let fd = decimal(name).filter(|fd| Ino::from(*fd) <= FD_MASK)?;
            self.view.file(pid, fd)?;
            return Some(Ino::from(pid.0) << 32 | kind | Ino::from(fd));
        }
        match tree_of(pid).find(dir_at, name) {
            Some(at) => Some(number(pid, at)),
            None if dir == ROOT => {
                let pid = decimal(name).map(Pid).filter(|pid| pid.0 != 0)?;
                self.owner(pid).map(|_| number(pid, 0))
            }
            None => None,
        }
    }

    fn leads_outside(&self, ino: Ino) -> bool {
        file(&self.view, ino).is_some_and(|file| file.ops.location().is_none())
    }

    fn jump(&self, ino: Ino) -> Option<Jump> {
        if let Some(file) = file(&self.view, ino) {
            return view::jump(&file);
        }
        let (pid, _, entry) = parts(ino)?;
        match entry.content {
            Content::Place(place) => Some(Jump { to: place(self.view.places(pid)?), name: None }),
            _ => None,
        }
    }

    fn children(&self, dir: Ino) -> Vec<(Ino, Vec<u8>)> {
        let Some((pid, dir_at, entry)) = parts(dir) else { return Vec::new() };
        if let Some(kind) = kind_in(entry) {
            let link = |fd: u32| (Ino::from(pid.0) << 32 | kind | Ino::from(fd), fd.to_string().into());
            return self.view.fds(pid).into_iter().map(link).collect();
        }
        let named = tree_of(pid).children(dir_at);
        let mut entries: Vec<_> = named.map(|(at, entry)| (number(pid, at), entry.name.into())).collect();
        if dir == ROOT {
            let tasks = self.view.tasks.borrow();
            entries.extend(tasks.keys().map(|pid| (number(*pid, 0), pid.0.to_string().into())));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, Descriptors, Kernel, Now};

    /// A kernel's /proc with one process, whose number is 2.
    fn proc() -> Proc {
        let mut kernel = Kernel::new(Now::default(), [0; 32]).expect("a kernel");
        let who = Credentials { uid: 1000, gid: 100, groups: Vec::new(), host_pid: 0 };
        let pid = kernel.attach(who, b"test", Descriptors::Strong);
        assert_eq!(pid, Pid(2));
        Proc::new(Rc::clone(&kernel.processes.view))
    }

    #[test]
    fn every_entry_is_found_by_its_name_and_number() {
        let proc = proc();
        let mut todo = vec![ROOT];
        let mut seen = 0;
        while let Some(dir) = todo.pop() {
            let children = proc.children(dir);
            assert!(children.is_sorted_by(|one, other| one.0 < other.0), "cookies are inode numbers");
            for (ino, name) in children {
                let node = proc.node(ino).expect("a node");
                assert_eq!((node.parent, &node.name), (dir, &name));
                assert_eq!(proc.child(dir, &name), Some(ino));
                seen += 1;
                if node.kind == Kind::Directory {
                    todo.push(ino);
                }
            }
        }
        assert!(seen > KERNEL.len() + TASK.len());
    }

    #[test]
    fn only_plain_numbers_of_living_processes_are_names() {
        let proc = proc();
        assert!(proc.child(ROOT, b"2").is_some());
        for name in [b"02".as_slice(), b"+2", b"0", b"8", b"-1", b"4294967298", b"\xff"] {
            assert_eq!(proc.child(ROOT, name), None);
        }
        assert!(proc.node(u64::MAX).is_none() && proc.node(0).is_none() && proc.node(8 << 32 | 1).is_none());
        assert!(proc.node(2 << 32 | LINK | 5).is_none() && proc.node(2 << 32 | INFO | 5).is_none());
    }
}
