//! The rows as a tree of inodes.
//!
//! The fixed part has the numbers of its entries, counted from 1. What an object has is numbered by its class, its own number and the
//! entry's in the tree that all objects of the class have; a link to an object has a number behind those of the entries.

use super::view::{Seen, View};
use super::{Content, NAME, Row, block, net};
use crate::planted::{Entry, Tree};
use crate::proc;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;
use vfs::pseudo::{Node, Nodes};
use vfs::{Ino, Kind};

/// linux/magic.h
const SYSFS_MAGIC: i64 = 0x6265_6572;
const ROOT: Ino = 1;
/// Where an inode's number has the class, and where the object's.
const CLASS_AT: u32 = 48;
const OBJECT_AT: u32 = 16;
/// The first link to an object.
const LINKS: usize = 0x8000;

/// What is there once; the directories of objects among it. There is one processor, as in /proc/cpuinfo.
const FIXED: &[Row] = &[
    ("block", Content::Directory),
    ("bus", Content::Directory),
    ("class/block", Content::Directory),
    ("class/net", Content::Directory),
    ("dev/block", Content::Directory),
    ("dev/char", Content::Directory),
    ("devices/system/cpu/online", Content::Text("0\n")),
    ("devices/system/cpu/possible", Content::Text("0\n")),
    ("devices/system/cpu/present", Content::Text("0\n")),
    ("devices/virtual/block", Content::Directory),
    ("devices/virtual/net", Content::Directory),
    ("firmware", Content::Directory),
    ("fs", Content::Directory),
    ("kernel", Content::Directory),
    ("module", Content::Directory),
    ("power", Content::Directory),
];

/// What an inode is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    /// The kernel.
    None,
    /// The interface of this index.
    Interface(u32),
    /// The drive of this number.
    Drive(u32),
}

/// A directory with links to all objects of a class, and the links' names.
type Links = (&'static str, fn(&Seen) -> &str);

/// Objects of one kind.
struct Class {
    /// The directory of their directories.
    home: &'static str,
    links: &'static [Links],
    rows: &'static [Row],
    seen: fn(&View) -> &RefCell<Vec<Seen>>,
    object: fn(u32) -> Object,
}

/// Inodes have their places here, counted from 1.
const CLASSES: [Class; 2] = [
    Class {
        home: "devices/virtual/net",
        links: &[("class/net", |seen| &seen.name)],
        rows: net::ROWS,
        seen: |view| &view.interfaces,
        object: Object::Interface,
    },
    Class {
        home: "devices/virtual/block",
        links: &[
            ("block", |seen| &seen.name),
            ("class/block", |seen| &seen.name),
            ("dev/block", |seen| &seen.device),
        ],
        rows: block::ROWS,
        seen: |view| &view.drives,
        object: Object::Drive,
    },
];

static TREE: LazyLock<Tree<Content>> = LazyLock::new(|| planted(FIXED));
static OF_CLASSES: LazyLock<[Tree<Content>; 2]> = LazyLock::new(|| CLASSES.map(|class| planted(class.rows)));

fn planted(rows: &[Row]) -> Tree<Content> {
    let mut tree = Tree::new(Content::Directory);
    rows.iter().for_each(|(path, content)| tree.plant(0, path, content.mode(), *content));
    tree
}

/// An inode taken apart.
#[derive(Clone, Copy)]
enum Place {
    Fixed(usize),
    /// A class, an object's number, and an entry of the class's tree.
    Of(usize, u32, usize),
    /// A class, an object's number, and which of the links to it.
    Link(usize, u32, usize),
}

impl Place {
    fn parse(ino: Ino) -> Option<Self> {
        let part = |at: u32, bits: u32| ino >> at & ((1 << bits) - 1);
        let slot = usize::try_from(part(0, OBJECT_AT)).ok()?;
        let number = u32::try_from(part(OBJECT_AT, CLASS_AT - OBJECT_AT)).ok()?;
        let Some(class) = usize::try_from(ino >> CLASS_AT).ok()?.checked_sub(1) else {
            return Some(Self::Fixed(usize::try_from(ino).ok()?.checked_sub(1)?));
        };
        let known = CLASSES.get(class)?;
        Some(match slot.checked_sub(LINKS) {
            None => Self::Of(class, number, slot),
            Some(link) if link < known.links.len() => Self::Link(class, number, link),
            Some(_) => return None,
        })
    }

    fn number(self) -> Ino {
        let joined = |class: usize, number: u32, slot: usize| {
            (class as u64 + 1) << CLASS_AT | u64::from(number) << OBJECT_AT | slot as u64
        };
        match self {
            Self::Fixed(at) => at as u64 + 1,
            Self::Of(class, number, at) => joined(class, number, at),
            Self::Link(class, number, link) => joined(class, number, LINKS + link),
        }
    }

    /// The entry of the tree that it is in; a link to an object has none.
    fn entry(self) -> Option<&'static Entry<Content>> {
        match self {
            Self::Fixed(at) => TREE.get(at),
            Self::Of(class, _, at) => OF_CLASSES.get(class)?.get(at),
            Self::Link(..) => None,
        }
    }
}

/// What an inode stands for, and what it is of.
pub(super) fn content(ino: Ino) -> Option<(Object, Content)> {
    let place = Place::parse(ino)?;
    let object = match place {
        Place::Of(class, number, _) => (CLASSES.get(class)?.object)(number),
        Place::Fixed(_) | Place::Link(..) => Object::None,
    };
    Some((object, place.entry()?.content))
}

/// The number of a directory of the fixed part.
fn directory(path: &str) -> Ino {
    // A path of CLASSES that FIXED lacks is found by the tests.
    TREE.at(path).map_or(ROOT, |at| Place::Fixed(at).number())
}

/// The file system.
pub(crate) struct Sysfs {
    view: Rc<View>,
    /// Knows whose kernel it is.
    processes: Rc<proc::View>,
}

impl Sysfs {
    pub(crate) const fn new(view: Rc<View>, processes: Rc<proc::View>) -> Self {
        Self { view, processes }
    }

    /// Something of an object that there is.
    fn of<T>(&self, class: usize, number: u32, of: impl FnOnce(&Class, &Seen) -> T) -> Option<T> {
        let class = CLASSES.get(class)?;
        let seen = (class.seen)(&self.view).borrow();
        seen.iter().find(|seen| seen.number == number).map(|seen| of(class, seen))
    }

    /// The objects that a directory of the fixed part has something of, and by what names.
    fn objects_in(&self, dir: Ino) -> Vec<(Ino, Vec<u8>)> {
        let mut found = Vec::new();
        for (at, class) in CLASSES.iter().enumerate() {
            let seen = (class.seen)(&self.view).borrow();
            if directory(class.home) == dir {
                let named =
                    |object: &Seen| (Place::Of(at, object.number, 0).number(), object.name.clone().into());
                found.extend(seen.iter().map(named));
            }
            for (link, (_, name)) in
                class.links.iter().enumerate().filter(|(_, (path, _))| directory(path) == dir)
            {
                found.extend(
                    seen.iter()
                        .map(|object| (Place::Link(at, object.number, link).number(), name(object).into())),
                );
            }
        }
        found
    }
}

impl Nodes for Sysfs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn magic(&self) -> i64 {
        SYSFS_MAGIC
    }

    fn root(&self) -> Ino {
        ROOT
    }

    /// A page, as kernfs says of all that are no longer.
    fn file_size(&self) -> u64 {
        4096
    }

    fn node(&self, ino: Ino) -> Option<Node> {
        let place = Place::parse(ino)?;
        let (parent, name) = match place {
            Place::Fixed(at) => (Place::Fixed(TREE.get(at)?.parent).number(), TREE.get(at)?.name.into()),
            Place::Of(class, number, 0) => {
                self.of(class, number, |class, seen| (directory(class.home), seen.name.clone().into()))?
            }
            Place::Of(class, number, _) => {
                let entry = place.entry()?;
                let above = Place::Of(class, number, entry.parent);
                self.of(class, number, |_, _| (above.number(), entry.name.into()))?
            }
            Place::Link(class, number, link) => self.of(class, number, |class, seen| {
                let (path, name) = class.links[link];
                (directory(path), name(seen).into())
            })?,
        };
        let (kind, mode, target) = match (place, place.entry().map(|entry| entry.content)) {
            (Place::Link(class, number, link), _) => {
                let target = self.of(class, number, |class, seen| {
                    let up = "../".repeat(class.links[link].0.split('/').count());
                    format!("{up}{}/{}", class.home, seen.name)
                })?;
                (Kind::Symlink, 0o777, target)
            }
            (_, Some(Content::Link(target))) => (Kind::Symlink, 0o777, target.into()),
            (_, Some(Content::Directory)) => (Kind::Directory, 0o755, String::new()),
            (_, content) => (Kind::Regular, content?.mode(), String::new()),
        };
        let (uid, gid) = self.processes.owner.get();
        Some(Node { kind, mode, uid, gid, parent, name, target: target.into() })
    }

    fn child(&self, dir: Ino, name: &[u8]) -> Option<Ino> {
        self.children(dir).into_iter().find(|(_, child)| child == name).map(|(ino, _)| ino)
    }

    fn children(&self, dir: Ino) -> Vec<(Ino, Vec<u8>)> {
        match Place::parse(dir) {
            Some(Place::Fixed(at)) => {
                let fixed =
                    TREE.children(at).map(|(at, entry)| (Place::Fixed(at).number(), entry.name.into()));
                fixed.chain(self.objects_in(dir)).collect()
            }
            Some(Place::Of(class, number, at)) if self.of(class, number, |_, _| ()).is_some() => {
                let entries = OF_CLASSES[class].children(at);
                entries
                    .map(|(at, entry)| (Place::Of(class, number, at).number(), entry.name.into()))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kernel, Now};
    use vfs::DriveInfo;

    fn sysfs() -> Sysfs {
        let mut kernel = Kernel::new(Now::default(), [0; 32]).expect("a kernel");
        let (path, owner) = (b"/dev/disk/one".to_vec(), (0, 0));
        let drive = DriveInfo { number: 7, kind: Kind::Block, size: 1 << 20, read_only: true, path, owner };
        kernel.add_drive(drive).expect("a drive");
        kernel.show_interfaces();
        Sysfs::new(Rc::clone(&kernel.fs.shown), Rc::clone(&kernel.processes.view))
    }

    #[test]
    fn every_entry_is_found_by_its_name_and_number() {
        let sysfs = sysfs();
        let mut todo = vec![ROOT];
        let (mut files, mut links) = (0, Vec::new());
        while let Some(dir) = todo.pop() {
            let children = sysfs.children(dir);
            assert!(children.is_sorted_by(|one, other| one.0 < other.0), "cookies are inode numbers");
            for (ino, name) in children {
                let node = sysfs.node(ino).expect("a node");
                assert_eq!((node.parent, &node.name), (dir, &name));
                assert_eq!(sysfs.child(dir, &name), Some(ino));
                match node.kind {
                    Kind::Directory => todo.push(ino),
                    Kind::Symlink => links.push((dir, node.target)),
                    _ => files += usize::from(content(ino).is_some()),
                }
            }
        }
        let is_file = |(_, content): &&Row| !matches!(content, Content::Directory | Content::Link(_));
        let all = [FIXED, net::ROWS, block::ROWS].iter().map(|rows| rows.iter().filter(is_file).count());
        assert_eq!(files, all.sum::<usize>());
        // Of each class those in CLASSES, and `subsystem`.
        assert_eq!(links.len(), 1 + 3 + 2);
        for (dir, target) in links {
            let walked = target.split(|byte| *byte == b'/').try_fold(dir, |at, name| match name {
                b".." => sysfs.node(at).map(|node| node.parent),
                name => sysfs.child(at, name),
            });
            assert!(walked.is_some(), "{}", String::from_utf8_lossy(&target));
        }
    }

    #[test]
    fn numbers_without_sense_are_nothing() {
        let sysfs = sysfs();
        for ino in [
            0,
            999,
            3 << CLASS_AT,
            1 << CLASS_AT | 9 << OBJECT_AT,
            1 << CLASS_AT | 1 << OBJECT_AT | 0x8001,
            u64::MAX,
        ] {
            assert!(
                sysfs.node(ino).is_none()
                    && content(ino).is_none_or(|_| ino == 1 << CLASS_AT | 9 << OBJECT_AT),
                "{ino:#x}"
            );
        }
    }
}
