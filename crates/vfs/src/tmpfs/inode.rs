//! One inode.

use super::bytes::Bytes;
use super::directory::Directory;
use super::page::PAGE;
use super::quota::{Owner, Quota};
use crate::acl::Acl;
use crate::node::{Attr, Ino, Kind, NewNode, SetAttr, Time};
use abi::Errno;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an inode holds.
pub(super) enum Body {
    File(Bytes),
    Directory(Directory),
    Symlink(Vec<u8>),
    /// A device, a fifo, a socket's name.
    Special(Kind),
}

pub(super) struct Inode {
    pub(super) body: Body,
    pub(super) mode: u32,
    pub(super) nlink: u64,
    uid: u32,
    gid: u32,
    rdev: u64,
    atime: Time,
    pub(super) mtime: Time,
    pub(super) ctime: Time,
    btime: Time,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The access control list, and the one that new files in this directory get.
    pub(super) acl: Option<Arc<Acl>>,
    pub(super) default_acl: Option<Arc<Acl>>,
    /// It was made without a name and may be given one.
    pub(super) linkable: bool,
    /// Bytes that were counted for it. Shared memory may have grown since: others can change its size.
    pub(super) charged: u64,
    /// Open files and working directories.
    pub(super) holders: u64,
    /// What reads since it was changed would have saved elsewhere ([`super::moving::saved`]).
    pub(super) was_read: Cell<u64>,
}

impl Inode {
    /// A new inode with one name (a directory: two), in this directory.
    pub(super) fn new(node: &NewNode, parent: Ino, now: Time) -> Self {
        let body = match node.kind {
            Kind::Regular => Body::File(Bytes::default()),
            Kind::Directory => Body::Directory(Directory::new(parent)),
            Kind::Symlink => Body::Symlink(node.target.clone()),
            kind => Body::Special(kind),
        };
        Self {
            nlink: if node.kind == Kind::Directory { 2 } else { 1 },
            body,
            mode: node.mode & 0o7777,
            uid: node.uid,
            gid: node.gid,
            rdev: node.rdev,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            xattrs: BTreeMap::new(),
            acl: None,
            default_acl: None,
            linkable: false,
            charged: 0,
            holders: 0,
            was_read: Cell::new(0),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.body {
            Body::File(_) => Kind::Regular,
            Body::Directory(_) => Kind::Directory,
            Body::Symlink(_) => Kind::Symlink,
            Body::Special(kind) => kind,
        }
    }

    pub(super) fn attr(&self, ino: Ino) -> Attr {
        let (size, stored) = match &self.body {
            Body::File(bytes) => (bytes.len(), bytes.stored().unwrap_or(0)),
            Body::Directory(directory) => (directory.size(), 0),
            Body::Symlink(target) => (target.len() as u64, 0),
            Body::Special(_) => (0, 0),
        };
        Attr {
            ino,
            kind: self.kind(),
            mode: self.mode,
            nlink: self.nlink,
            uid: self.uid,
            gid: self.gid,
            rdev: self.rdev,
            size,
            blocks: self.taken().div_ceil(512),
            atime: self.atime,
            mtime: self.mtime.max(stored),
            ctime: self.ctime.max(stored),
            btime: self.btime,
            acl: self.acl.clone(),
        }
    }

    /// Bytes of the file system's limit that its contents take.
    fn taken(&self) -> u64 {
        match &self.body {
            Body::File(bytes) => bytes.taken(),
            // A short one lies in the inode, as on Linux's tmpfs (`SHORT_SYMLINK_LEN`).
            Body::Symlink(target) if target.len() >= 128 => PAGE as u64,
            _ => 0,
        }
    }

    pub(super) const fn owner(&self) -> Owner {
        (self.uid, self.gid)
    }

    /// Counts anew what it takes, extended attributes too, in `used` of the whole file system and in what its owner may take.
    pub(super) fn charge(&mut self, used: &mut u64, quota: &mut Quota) {
        let xattrs: usize = self.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        let lists: usize = [&self.acl, &self.default_acl].into_iter().flatten().map(|acl| acl.size()).sum();
        let now = self.taken() + (xattrs + lists) as u64;
        *used = used.saturating_sub(self.charged).saturating_add(now);
        quota.charge(self.owner(), (self.charged, now));
        self.charged = now;
    }

    pub(super) fn set_attr(&mut self, change: &SetAttr, now: Time) {
        if let Some(mode) = change.mode {
            self.mode = mode & 0o7777;
        }
        self.uid = change.uid.unwrap_or(self.uid);
        self.gid = change.gid.unwrap_or(self.gid);
        if change.size.is_some() {
            self.mtime = now;
        }
        self.atime = change.atime.unwrap_or(self.atime);
        if let Some(mtime) = change.mtime {
            self.mtime = mtime;
            if let Body::File(bytes) = &mut self.body {
                bytes.forget_stored();
            }
        }
        self.ctime = now;
    }

    pub(super) fn touch(&mut self, now: Time) {
        self.atime = now;
    }

    pub(super) fn bytes(&self) -> Result<&Bytes, Errno> {
        match &self.body {
            Body::File(bytes) => Ok(bytes),
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(super) fn bytes_mut(&mut self) -> Result<&mut Bytes, Errno> {
        match &mut self.body {
            Body::File(bytes) => Ok(bytes),
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(super) fn directory(&self) -> Result<&Directory, Errno> {
        match &self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn directory_mut(&mut self) -> Result<&mut Directory, Errno> {
        match &mut self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }
}
