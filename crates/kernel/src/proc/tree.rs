//! The rows as a tree of inodes.
//!
//! An inode's number is the process's in the upper half (0: what is there once) and its place in that tree, counted from 1, in the lower.

use super::table::{Content, KERNEL, Row, TASK, sysctls};
use super::view::View;
use crate::process::Pid;
use std::rc::Rc;
use std::sync::LazyLock;
use vfs::pseudo::{Node, Nodes};
use vfs::{Ino, Kind};

/// linux/magic.h
const PROC_SUPER_MAGIC: i64 = 0x9fa0;
const ROOT: Ino = 1;

/// One name of a tree.
struct Entry {
    parent: usize,
    name: &'static str,
    mode: u32,
    content: Content,
}

static KERNEL_TREE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut tree = vec![DIRECTORY];
    KERNEL.iter().for_each(|row| plant(&mut tree, 0, row));
    let sys = directory(&mut tree, 0, "sys");
    sysctls().for_each(|row| plant(&mut tree, sys, &row));
    tree
});

static TASK_TREE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut tree = vec![DIRECTORY];
    TASK.iter().for_each(|row| plant(&mut tree, 0, row));
    tree
});

/// The root of a tree.
const DIRECTORY: Entry = Entry { parent: 0, name: "", mode: 0o555, content: Content::Directory };

/// Enters a row below a directory, and the directories above it.
fn plant(tree: &mut Vec<Entry>, below: usize, (path, mode, content): &Row) {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let names = above.split('/').filter(|name| !name.is_empty());
    let parent = names.fold(below, |parent, name| directory(tree, parent, name));
    tree.push(Entry { parent, name, mode: *mode, content: *content });
}

/// The directory of this name, made if it is missing.
fn directory(tree: &mut Vec<Entry>, parent: usize, name: &'static str) -> usize {
    find(tree, parent, name.as_bytes()).unwrap_or_else(|| {
        tree.push(Entry { parent, name, ..DIRECTORY });
        tree.len() - 1
    })
}

/// The entry of this name in a directory. The root is in none.
fn find(tree: &[Entry], parent: usize, name: &[u8]) -> Option<usize> {
    (1..tree.len()).find(|at| tree[*at].parent == parent && tree[*at].name.as_bytes() == name)
}

/// The process that an inode is of (0: none) and its entry.
fn parts(ino: Ino) -> Option<(Pid, usize, &'static Entry)> {
    let pid = Pid(u32::try_from(ino >> 32).ok()?);
    let at = usize::try_from(ino & 0xffff_ffff).ok()?.checked_sub(1)?;
    let tree: &'static [Entry] = if pid.0 == 0 { &KERNEL_TREE } else { &TASK_TREE };
    Some((pid, at, tree.get(at)?))
}

fn number(pid: Pid, at: usize) -> Ino {
    Ino::from(pid.0) << 32 | (at as u64 + 1)
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
        if pid.0 == 0 { Some((0, 0)) } else { self.view.tasks.borrow().get(&pid).copied() }
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
        let (pid, at, entry) = parts(ino)?;
        let (uid, gid) = self.owner(pid)?;
        let (kind, target) = match entry.content {
            Content::Directory => (Kind::Directory, Vec::new()),
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
        let (pid, dir_at, _) = parts(dir)?;
        let tree = if pid.0 == 0 { &KERNEL_TREE } else { &TASK_TREE };
        let found =
            (1..tree.len()).find(|at| tree[*at].parent == dir_at && tree[*at].name.as_bytes() == name);
        let task = || {
            let text = std::str::from_utf8(name).ok().filter(|_| dir == ROOT)?;
            let pid = Pid(text.parse().ok()?);
            // Neither `007` nor `+7` is a process.
            (pid.0 != 0 && pid.0.to_string() == text).then_some(pid)
        };
        match found {
            Some(at) => Some(number(pid, at)),
            None => task().filter(|pid| self.owner(*pid).is_some()).map(|pid| number(pid, 0)),
        }
    }

    fn children(&self, dir: Ino) -> Vec<(Ino, Vec<u8>)> {
        let Some((pid, dir_at, _)) = parts(dir) else { return Vec::new() };
        let tree = if pid.0 == 0 { &KERNEL_TREE } else { &TASK_TREE };
        let named = (1..tree.len()).filter(|at| tree[*at].parent == dir_at);
        let mut entries: Vec<_> = named.map(|at| (number(pid, at), tree[at].name.into())).collect();
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

    #[test]
    fn every_entry_is_found_by_its_name_and_number() {
        let view = Rc::new(View::default());
        view.tasks.borrow_mut().insert(Pid(7), (1000, 100));
        let proc = Proc::new(view);
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
        let view = Rc::new(View::default());
        view.tasks.borrow_mut().insert(Pid(7), (1000, 100));
        let proc = Proc::new(view);
        assert!(proc.child(ROOT, b"7").is_some());
        for name in [b"07".as_slice(), b"+7", b"0", b"8", b"-1", b"4294967303", b"\xff"] {
            assert_eq!(proc.child(ROOT, name), None);
        }
        assert!(proc.node(u64::MAX).is_none() && proc.node(0).is_none() && proc.node(8 << 32 | 1).is_none());
    }
}
