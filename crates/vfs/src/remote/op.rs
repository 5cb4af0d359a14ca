//! Operations of a file system as values, their answers, and how they are carried out.

use super::Worker;
use super::ahead::Arrived;
use crate::acl::Acl;
use crate::fs::FileSystem;
use crate::node::{Attr, Ino, Kind, NewName, NewNode, SetAttr, Time};
use abi::Errno;
use abi::layout::Statfs;
use std::sync::Arc;

/// One operation. Each is carried out once, in the order in which they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the arguments of FileSystem's methods")]
pub enum Op {
    /// Opens a file system: a worker begins its life with it.
    Mount(MountSource),
    /// Attributes of some inodes; those that are gone are left out, unless it is the first.
    Nodes(Vec<Ino>),
    Lookup {
        dir: Ino,
        name: Vec<u8>,
    },
    Parent(Ino),
    NameOf(Ino),
    /// Whether an inode that somebody names by its number is there ([`FileSystem::find`]).
    Find(Ino),
    /// `name` none: [`NewName::Unnamed`].
    Create {
        dir: Ino,
        name: Option<Vec<u8>>,
        linkable: bool,
        node: NewNode,
        now: Time,
    },
    Link {
        dir: Ino,
        name: Vec<u8>,
        ino: Ino,
        now: Time,
    },
    /// `held`: the inode is open somewhere, and lives on until [`Op::Release`].
    Unlink {
        dir: Ino,
        name: Vec<u8>,
        ino: Ino,
        held: bool,
        now: Time,
    },
    Rmdir {
        dir: Ino,
        name: Vec<u8>,
        ino: Ino,
        held: bool,
        now: Time,
    },
    /// `replaced`: what stood at the new name.
    Rename {
        from: (Ino, Vec<u8>),
        to: (Ino, Vec<u8>),
        ino: Ino,
        replaced: Option<Ino>,
        held: bool,
        now: Time,
    },
    Exchange {
        one: (Ino, Vec<u8>),
        other: (Ino, Vec<u8>),
        inos: (Ino, Ino),
        now: Time,
    },
    Readlink(Ino),
    Read {
        ino: Ino,
        offset: u64,
        len: usize,
    },
    /// As [`Op::Read`], of what nobody waits for.
    ReadAhead {
        ino: Ino,
        offset: u64,
        len: usize,
        token: u64,
    },
    /// What was asked for before is answered.
    Await,
    Write {
        ino: Ino,
        offset: u64,
        bytes: Vec<u8>,
        now: Time,
    },
    Allocate {
        ino: Ino,
        mode: u32,
        offset: u64,
        len: u64,
        now: Time,
    },
    Seek {
        ino: Ino,
        offset: u64,
        data: bool,
    },
    List(Ino),
    Xattrs(Ino),
    SetXattr {
        ino: Ino,
        name: Vec<u8>,
        value: Option<Vec<u8>>,
        now: Time,
    },
    SetAttr {
        ino: Ino,
        change: SetAttr,
        now: Time,
    },
    SetAcl {
        ino: Ino,
        default: bool,
        acl: Option<Arc<Acl>>,
        now: Time,
    },
    Touch {
        ino: Ino,
        now: Time,
    },
    /// An inode without names is held by nobody any more.
    Release(Ino),
    Statfs,
    Sync(Option<Ino>),
    Remount {
        options: Vec<u8>,
        read_only: bool,
    },
    /// The last: the worker ends.
    Unmount,
}

/// What is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountSource {
    /// Where its bytes are.
    pub from: Source,
    /// The type of mount(2); `auto`: to be found out.
    pub kind: Vec<u8>,
    /// Mount options.
    pub options: Vec<u8>,
    /// Nothing will be changed.
    pub read_only: bool,
}

/// Where a file system comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A drive, by its number.
    Drive(u32),
    /// A path of the host.
    Host(Vec<u8>),
}

/// What is known of an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its attributes.
    pub attr: Attr,
    /// The list that new files in this directory get.
    pub default_acl: Option<Arc<Acl>>,
}

/// A directory entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is found by again.
    pub cookie: u64,
    /// The inode.
    pub ino: Ino,
    /// What that is.
    pub kind: Kind,
    /// Its name.
    pub name: Vec<u8>,
}

/// A file system that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Who carries out its operations.
    pub worker: Worker,
    /// The drive that it is on.
    pub drive: Option<Worker>,
    /// Its type.
    pub name: &'static str,
    /// Its root directory.
    pub root: Ino,
    /// Whether inodes have access control lists.
    pub acls: bool,
    /// Whether changes may be answered before they are carried out: nothing but a full disk and a broken one can fail them.
    pub behind: bool,
    /// Whether what is known of inodes and names stays true until it is changed here.
    pub keeps_nodes: bool,
    /// Whether a name stands for nothing unless it is spelt as it is listed.
    pub exact: bool,
    /// The same of the bytes of files.
    pub keeps_pages: bool,
    /// No file has more bytes than this ([`FileSystem::size_max`]).
    pub size_max: u64,
    /// What it is known by whenever it is mounted ([`FileSystem::identity`]).
    pub identity: Option<u64>,
    /// Options for the list of mounts.
    pub options: String,
}

/// What an operation answers.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "what they hold is their type")]
pub enum Value {
    Nothing,
    Mounted(Arc<Mounted>),
    Nodes(Vec<Arc<Node>>),
    /// The inode that was made, if one was, and what is known now of all that were changed.
    Changed {
        made: Option<Ino>,
        count: usize,
        nodes: Vec<Arc<Node>>,
    },
    Number(u64),
    Bytes(Arc<Vec<u8>>),
    Ahead(Arrived),
    Entries(Arc<Vec<Entry>>),
    Xattrs(Xattrs),
    Statfs(Box<Statfs>),
}

/// All extended attributes of an inode: names and values.
pub type Xattrs = Arc<Vec<(Vec<u8>, Vec<u8>)>>;

/// An answer.
pub type Answer = Result<Value, Errno>;

impl Op {
    /// Bytes that wait while it does.
    #[must_use]
    pub const fn weight(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// Whether it changes something.
    #[must_use]
    pub const fn changes(&self) -> bool {
        !matches!(
            self,
            Self::Nodes(_)
                | Self::Lookup { .. }
                | Self::Parent(_)
                | Self::NameOf(_)
                | Self::Find(_)
                | Self::Readlink(_)
                | Self::Read { .. }
                | Self::ReadAhead { .. }
                | Self::Await
                | Self::Seek { .. }
                | Self::List(_)
                | Self::Xattrs(_)
                | Self::Statfs
                | Self::Sync(_)
        )
    }
}

/// Carries an operation out.
///
/// # Errors
/// The file system's. `EINVAL`: [`Op::Mount`], which is not a file system's.
pub fn carry_out(op: Op, fs: &mut dyn FileSystem) -> Answer {
    match op {
        Op::Mount(_) => Err(Errno::EINVAL),
        Op::Nodes(inos) => nodes(fs, &inos),
        Op::Lookup { dir, name } => {
            let ino = fs.lookup(dir, &name)?;
            nodes(fs, &[ino])
        }
        Op::Parent(ino) => fs.parent(ino).map(Value::Number),
        Op::NameOf(ino) => fs.name_of(ino).map(bytes),
        Op::Find(ino) => fs.find(ino).map(|()| Value::Nothing),
        Op::Readlink(ino) => fs.readlink(ino).map(bytes),
        Op::Read { ino, offset, len } => read(fs, ino, offset, len).map(Value::Bytes),
        Op::ReadAhead { ino, offset, len, token } => {
            let bytes = read(fs, ino, offset, len).ok();
            Ok(Value::Ahead(Arrived { ino, token, bytes }))
        }
        Op::Await => Ok(Value::Nothing),
        Op::Seek { ino, offset, data } => fs.seek(ino, offset, data).map(Value::Number),
        Op::List(ino) => list(fs, ino),
        Op::Xattrs(ino) => xattrs(fs, ino),
        Op::Statfs => fs.statfs().map(|statfs| Value::Statfs(Box::new(statfs))),
        Op::Sync(ino) => fs.sync(ino).map(|()| Value::Nothing),
        Op::Remount { options, read_only } => fs.remount(&options, read_only).map(|()| Value::Nothing),
        Op::Unmount => fs.unmount().map(|()| Value::Nothing),
        Op::Touch { ino, now } => {
            fs.touch(ino, now);
            Ok(Value::Nothing)
        }
        Op::Release(ino) => {
            fs.hold(ino, false);
            Ok(Value::Nothing)
        }
        op => change(op, fs).map(|change| changed(fs, &change)),
    }
}

/// Carries out an operation for which no call waits: what has become of its inodes nobody wants to know.
///
/// # Errors
/// As [`carry_out`]. `ENOSPC`: not all was written.
pub fn carry_out_behind(op: Op, fs: &mut dyn FileSystem) -> Answer {
    let weight = op.weight();
    match op {
        Op::Write { .. } => match change(op, fs)?.count {
            count if count < weight => Err(Errno::ENOSPC),
            _ => Ok(Value::Nothing),
        },
        Op::SetAttr { .. } | Op::Unlink { .. } => change(op, fs).map(|_| Value::Nothing),
        op => carry_out(op, fs),
    }
}

/// What a change has made and moved, and the inodes that are not as before.
struct Change {
    made: Option<Ino>,
    count: usize,
    inos: Vec<Ino>,
}

fn of(inos: impl Into<Vec<Ino>>) -> Change {
    Change { made: None, count: 0, inos: inos.into() }
}

fn change(op: Op, fs: &mut dyn FileSystem) -> Result<Change, Errno> {
    Ok(match op {
        Op::Create { dir, name, linkable, node, now } => {
            let unnamed = NewName::Unnamed { linkable };
            let ino = fs.create(dir, name.as_deref().map_or(unnamed, NewName::Named), &node, now)?;
            if name.is_none() {
                fs.hold(ino, true);
            }
            Change { made: Some(ino), ..of([ino, dir]) }
        }
        Op::Link { dir, name, ino, now } => {
            fs.link(dir, &name, ino, now)?;
            of([ino, dir])
        }
        Op::Unlink { dir, name, ino, held, now } => {
            keeping(fs, held.then_some(ino), |fs| fs.unlink(dir, &name, now))?;
            of([ino, dir])
        }
        Op::Rmdir { dir, name, ino, held, now } => {
            keeping(fs, held.then_some(ino), |fs| fs.rmdir(dir, &name, now))?;
            of([ino, dir])
        }
        Op::Rename { from, to, ino, replaced, held, now } => {
            let kept = replaced.filter(|_| held);
            keeping(fs, kept, |fs| fs.rename((from.0, &from.1), (to.0, &to.1), now))?;
            of([ino, from.0, to.0].into_iter().chain(replaced).collect::<Vec<_>>())
        }
        Op::Exchange { one, other, inos, now } => {
            fs.exchange((one.0, &one.1), (other.0, &other.1), now)?;
            of([inos.0, inos.1, one.0, other.0])
        }
        Op::Write { ino, offset, bytes, now } => {
            let count = fs.write(ino, offset, &bytes, now)?;
            Change { count, ..of([ino]) }
        }
        Op::Allocate { ino, mode, offset, len, now } => {
            fs.allocate(ino, mode, offset, len, now)?;
            of([ino])
        }
        Op::SetXattr { ino, name, value, now } => {
            fs.set_xattr(ino, &name, value.as_deref(), now)?;
            of([ino])
        }
        Op::SetAttr { ino, change, now } => {
            fs.set_attr(ino, &change, now)?;
            of([ino])
        }
        Op::SetAcl { ino, default, acl, now } => {
            fs.set_acl(ino, default, acl, now)?;
            of([ino])
        }
        _ => return Err(Errno::EINVAL),
    })
}

/// Takes a name away and lets the inode live if it is held.
fn keeping(
    fs: &mut dyn FileSystem,
    ino: Option<Ino>,
    change: impl FnOnce(&mut dyn FileSystem) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let Some(ino) = ino else { return change(fs) };
    fs.hold(ino, true);
    let outcome = change(fs);
    // With names left it needs no holder: the next one asks again.
    if outcome.is_err() || fs.attr(ino).is_ok_and(|attr| attr.nlink > 0) {
        fs.hold(ino, false);
    }
    outcome
}

fn bytes(bytes: Vec<u8>) -> Value {
    Value::Bytes(Arc::new(bytes))
}

fn node(fs: &dyn FileSystem, ino: Ino) -> Result<Arc<Node>, Errno> {
    let attr = fs.attr(ino)?;
    let inherits = attr.kind == Kind::Directory && fs.has_acls();
    let default_acl = if inherits { fs.default_acl(ino)? } else { None };
    Ok(Arc::new(Node { attr, default_acl }))
}

fn nodes(fs: &dyn FileSystem, inos: &[Ino]) -> Answer {
    let Some((first, others)) = inos.split_first() else { return Ok(Value::Nodes(Vec::new())) };
    let first = node(fs, *first)?;
    let others = others.iter().filter_map(|ino| node(fs, *ino).ok());
    Ok(Value::Nodes(std::iter::once(first).chain(others).collect()))
}

fn changed(fs: &dyn FileSystem, change: &Change) -> Value {
    let nodes = change.inos.iter().filter_map(|ino| node(fs, *ino).ok()).collect();
    Value::Changed { made: change.made, count: change.count, nodes }
}

fn read(fs: &dyn FileSystem, ino: Ino, offset: u64, len: usize) -> Result<Arc<Vec<u8>>, Errno> {
    let mut into = vec![0; len];
    let mut done = 0;
    while done < len {
        match fs.read(ino, offset + done as u64, &mut into[done..])? {
            0 => break,
            moved => done += moved,
        }
    }
    into.truncate(done);
    Ok(Arc::new(into))
}

fn list(fs: &dyn FileSystem, dir: Ino) -> Answer {
    let mut entries = Vec::new();
    fs.read_dir(dir, 0, &mut |cookie, ino, kind, name| {
        entries.push(Entry { cookie, ino, kind, name: name.to_vec() });
        true
    })?;
    Ok(Value::Entries(Arc::new(entries)))
}

fn xattrs(fs: &dyn FileSystem, ino: Ino) -> Answer {
    let names = fs.xattrs(ino)?;
    let all = names.into_iter().map(|name| Ok((fs.xattr(ino, &name)?, name)));
    let all: Result<Vec<_>, Errno> = all.collect();
    Ok(Value::Xattrs(Arc::new(all?.into_iter().map(|(value, name)| (name, value)).collect())))
}
