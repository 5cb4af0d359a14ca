//! A file system in memory, with Linux's tmpfs as its model.

mod bytes;
mod directory;
mod heap;
mod inode;
mod lent;
mod moving;
mod names;
mod options;
mod page;
mod pages;
mod quota;

use crate::acl::Acl;
use crate::fs::{EachName, FileSystem, SharedMemory};
use crate::node::{Attr, Ino, Kind, NewName, NewNode, SetAttr, Time};
use abi::Errno;
use abi::layout::Statfs;
use bytes::Bytes;
use foldhash::HashMap;
use inode::{Body, Inode};
use lent::Lent;
use moving::Moving;
use quota::Quota;
use std::sync::Arc;

const ROOT: Ino = 1;
const TMPFS_MAGIC: i64 = 0x0102_1994;
/// What an inode and its name take at most, longest name and all.
const INODE_COST: u64 = 1024;
/// `LINK_MAX` of tmpfs is none; this keeps a counter of 32 bits.
const LINKS_MAX: u64 = 1 << 31;
/// What all extended attributes of one inode may take (`XATTR_LIST_MAX`).
const XATTRS_MAX: usize = 64 << 10;

/// A file system in memory.
pub struct Tmpfs {
    inodes: HashMap<Ino, Inode>,
    last: Ino,
    inodes_max: u64,
    /// Names beyond the first of each inode.
    links: u64,
    /// Bytes that may be taken.
    limit: u64,
    used: u64,
    quota: Quota,
    moving: Moving,
    shown: options::Shown,
}

impl Tmpfs {
    /// An empty one, owned by user 0, that may take `limit` bytes for contents and as much for inodes (`size=` of tmpfs(5)).
    #[must_use]
    pub fn new(limit: u64, now: Time) -> Self {
        let node =
            NewNode { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0, rdev: 0, target: Vec::new() };
        let root = Inode::new(&node, ROOT, now);
        let (inodes, inodes_max) = (HashMap::from_iter([(ROOT, root)]), limit / INODE_COST);
        Self {
            inodes,
            last: ROOT,
            inodes_max,
            links: 0,
            limit,
            used: 0,
            quota: Quota::default(),
            moving: Moving::default(),
            shown: options::Shown::size(),
        }
    }

    /// The same with room for so many inodes (`nr_inodes=` of tmpfs(5)).
    #[must_use]
    pub fn with_inodes(self, inodes_max: u64) -> Self {
        Self { inodes_max, ..self }
    }

    fn get(&self, ino: Ino) -> Result<&Inode, Errno> {
        self.inodes.get(&ino).ok_or(Errno::ESTALE)
    }

    fn get_mut(&mut self, ino: Ino) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&ino).ok_or(Errno::ESTALE)
    }

    fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Inodes that there may still be. A name too many counts as one: it takes memory as well.
    fn free_inodes(&self) -> u64 {
        self.inodes_max.saturating_sub(self.inodes.len() as u64 + self.links)
    }

    /// Runs a change of a file's bytes and keeps count of what they take.
    fn change<T>(
        &mut self,
        ino: Ino,
        change: impl FnOnce(&mut Bytes, u64) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let (free, refusal) = self.room(ino)?;
        self.moving.forget(ino);
        let inode = self.inodes.get_mut(&ino).ok_or(Errno::ESTALE)?;
        inode.was_read.set(0);
        let outcome = change(inode.bytes_mut()?, free);
        inode.charge(&mut self.used, &mut self.quota);
        outcome.map_err(|errno| if errno == Errno::ENOSPC { refusal } else { errno })
    }

    /// Bytes that an inode may take besides, and what more is refused with.
    fn room(&self, ino: Ino) -> Result<(u64, Errno), Errno> {
        let (free, quota) = (self.free(), self.quota.room(self.get(ino)?.owner()));
        Ok(if quota < free { (quota, Errno::EDQUOT) } else { (free, Errno::ENOSPC) })
    }

    /// Forgets an inode that has neither a name nor a holder.
    fn reap(&mut self, ino: Ino) {
        let gone = self.inodes.get(&ino).is_some_and(|inode| inode.nlink == 0 && inode.holders == 0);
        if gone && let Some(inode) = self.inodes.remove(&ino) {
            self.used = self.used.saturating_sub(inode.charged);
            self.quota.count(inode.owner(), inode.charged, false);
        }
    }
}

impl FileSystem for Tmpfs {
    fn name(&self) -> &'static str {
        "tmpfs"
    }

    fn root(&self) -> Ino {
        ROOT
    }

    fn attr(&self, ino: Ino) -> Result<Attr, Errno> {
        Ok(self.get(ino)?.attr(ino))
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<(), Errno> {
        if let Some(size) = change.size {
            self.change(ino, |bytes, free| bytes.set_len(size, free))?;
        }
        let inode = self.inodes.get_mut(&ino).ok_or(Errno::ESTALE)?;
        let (uid, gid) = inode.owner();
        let owner = (change.uid.unwrap_or(uid), change.gid.unwrap_or(gid));
        if owner != (uid, gid) {
            self.quota.transfer((uid, gid), owner, inode.charged)?;
        }
        inode.set_attr(change, now);
        Ok(())
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino, Errno> {
        self.get(dir)?.directory()?.get(name).ok_or(Errno::ENOENT)
    }

    fn parent(&self, dir: Ino) -> Result<Ino, Errno> {
        Ok(self.get(dir)?.directory()?.parent)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>, Errno> {
        let inode = self.get(dir)?;
        if inode.nlink == 0 { Err(Errno::ENOENT) } else { Ok(inode.directory()?.name.clone()) }
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino, Errno> {
        self.create_inode(dir, name, node, now)
    }

    fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<(), Errno> {
        match self.get(ino)? {
            inode if inode.nlink >= LINKS_MAX => return Err(Errno::EMLINK),
            inode if inode.nlink == 0 && !inode.linkable => return Err(Errno::ENOENT),
            inode if inode.nlink > 0 && self.free_inodes() == 0 => return Err(Errno::ENOSPC),
            _ => {}
        }
        self.enter(dir, name, ino, now)?;
        let inode = self.inodes.get_mut(&ino).ok_or(Errno::ESTALE)?;
        self.links += u64::from(inode.nlink > 0);
        inode.nlink += 1;
        inode.ctime = now;
        Ok(())
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<(), Errno> {
        let ino = self.lookup(dir, name)?;
        if self.get(ino)?.directory().is_ok() {
            return Err(Errno::EISDIR);
        }
        self.leave(dir, name, now)?;
        self.drop_name(ino, now);
        Ok(())
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<(), Errno> {
        let ino = self.lookup(dir, name)?;
        if !self.get(ino)?.directory()?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.leave(dir, name, now)?;
        self.drop_name(ino, now);
        Ok(())
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<(), Errno> {
        self.move_name(from, to, now)
    }

    fn exchange(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), now: Time) -> Result<(), Errno> {
        self.exchange_names(one, other, now)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>, Errno> {
        match &self.get(ino)?.body {
            Body::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let inode = self.get(ino)?;
        let got = inode.bytes()?.read(offset, into)?;
        inode.was_read.set(inode.was_read.get().saturating_add(moving::saved(got)));
        Ok(got)
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize, Errno> {
        let written = self.change(ino, |file, free| file.write(offset, bytes, free))?;
        let inode = self.get_mut(ino)?;
        (inode.mtime, inode.ctime) = (now, now);
        Ok(written)
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<(), Errno> {
        self.change(ino, |bytes, free| bytes.allocate(mode, offset, len, free))?;
        let inode = self.get_mut(ino)?;
        (inode.mtime, inode.ctime) = (now, now);
        Ok(())
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64, Errno> {
        self.get(ino)?.bytes()?.seek(offset, data)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<(), Errno> {
        self.get(dir)?.directory()?.read(after, &mut |cookie, ino, name| {
            let kind = self.get(ino).map_or(Kind::Regular, Inode::kind);
            each(cookie, ino, kind, name)
        });
        Ok(())
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.get(ino)?.xattrs.get(name).cloned().ok_or(Errno::ENODATA)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>, Errno> {
        Ok(self.get(ino)?.xattrs.keys().cloned().collect())
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, now: Time) -> Result<(), Errno> {
        let (free, refusal) = self.room(ino)?;
        let inode = self.inodes.get_mut(&ino).ok_or(Errno::ESTALE)?;
        match value {
            Some(value) => {
                let others = inode.xattrs.iter().filter(|(other, _)| other.as_slice() != name);
                let taken: usize = others.map(|(name, value)| name.len() + value.len()).sum();
                let more = name.len() + value.len();
                if taken + more > XATTRS_MAX {
                    return Err(Errno::ENOSPC);
                }
                if more as u64 > free {
                    return Err(refusal);
                }
                inode.xattrs.insert(name.to_vec(), value.to_vec());
            }
            None => {
                inode.xattrs.remove(name).ok_or(Errno::ENODATA)?;
            }
        }
        inode.ctime = now;
        inode.charge(&mut self.used, &mut self.quota);
        Ok(())
    }

    fn has_acls(&self) -> bool {
        true
    }

    fn default_acl(&self, dir: Ino) -> Result<Option<Arc<Acl>>, Errno> {
        Ok(self.get(dir)?.default_acl.clone())
    }

    fn set_acl(&mut self, ino: Ino, default: bool, acl: Option<Arc<Acl>>, now: Time) -> Result<(), Errno> {
        let (free, refusal) = self.room(ino)?;
        let inode = self.inodes.get_mut(&ino).ok_or(Errno::ESTALE)?;
        if acl.as_ref().is_some_and(|acl| acl.size() as u64 > free) {
            return Err(refusal);
        }
        *(if default { &mut inode.default_acl } else { &mut inode.acl }) = acl;
        inode.ctime = now;
        inode.charge(&mut self.used, &mut self.quota);
        Ok(())
    }

    fn is_held(&self, ino: Ino) -> bool {
        self.inodes.get(&ino).is_some_and(|inode| inode.holders > 0)
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.holders = if held { inode.holders + 1 } else { inode.holders.saturating_sub(1) };
        }
        if !held {
            self.moving.forget(ino);
        }
        self.reap(ino);
    }

    fn statfs(&self) -> Result<Statfs, Errno> {
        let page = page::PAGE as u64;
        let free = self.free() / page;
        Ok(Statfs {
            f_type: TMPFS_MAGIC,
            f_bsize: page.cast_signed(),
            f_frsize: page.cast_signed(),
            f_blocks: self.limit / page,
            f_bfree: free,
            f_bavail: free,
            f_files: self.inodes_max,
            f_ffree: self.free_inodes(),
            f_namelen: 255,
            ..Statfs::default()
        })
    }

    fn share(&mut self, ino: Ino, memory: &mut dyn SharedMemory) -> Result<u64, Errno> {
        self.change(ino, |bytes, free| bytes.share(memory, free))
    }

    fn share_in_parts(
        &mut self,
        ino: Ino,
        memory: &mut dyn SharedMemory,
        most: u64,
    ) -> Result<Option<u64>, Errno> {
        let inode = self.inodes.get_mut(&ino).ok_or(Errno::ESTALE)?;
        let was_read = inode.was_read.get();
        let bytes = inode.bytes_mut()?;
        // Shared memory counts whole.
        if bytes.has_holes() {
            return Err(Errno::EOPNOTSUPP);
        }
        let heap = match bytes {
            // There are no holes to be filled.
            Bytes::Shared(shared) => return shared.lend(0).map(Some),
            Bytes::Heap(heap) if was_read < moving::cost(heap.len()) => return Err(Errno::EBUSY),
            Bytes::Heap(heap) => heap,
        };
        let Some(shared) = self.moving.step(ino, heap, memory, most)? else { return Ok(None) };
        let mut shared = Lent::new(shared);
        let id = shared.lend(0)?;
        *bytes = Bytes::Shared(shared);
        Ok(Some(id))
    }

    fn grown(&mut self, ino: Ino, memory: &mut dyn SharedMemory) -> Result<(), Errno> {
        self.get_mut(ino)?.bytes_mut()?.grown(memory)
    }

    /// The number alone: none is ever used again.
    fn handle(&self, ino: Ino) -> Result<Vec<u8>, Errno> {
        Ok(ino.to_ne_bytes().to_vec())
    }

    fn by_handle(&self, handle: &[u8]) -> Result<Ino, Errno> {
        let ino = Ino::from_ne_bytes(handle.try_into().map_err(|_| Errno::ESTALE)?);
        if self.inodes.contains_key(&ino) { Ok(ino) } else { Err(Errno::ESTALE) }
    }

    fn options(&self) -> String {
        self.shown_options()
    }

    fn remount(&mut self, options: &[u8], _read_only: bool) -> Result<(), Errno> {
        self.change_limits(options)
    }

    fn touch(&mut self, ino: Ino, now: Time) {
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.touch(now);
        }
    }
}
