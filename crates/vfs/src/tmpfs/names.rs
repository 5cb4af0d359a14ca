//! Changes of names.

use super::inode::{Body, Inode};
use super::quota::Quota;
use super::{Ino, Tmpfs};
use crate::fs::FileSystem;
use crate::node::{Kind, NewName, NewNode, Time};
use abi::Errno;

impl Tmpfs {
    pub(super) fn create_inode(
        &mut self,
        dir: Ino,
        name: NewName<'_>,
        node: &NewNode,
        now: Time,
    ) -> Result<Ino, Errno> {
        if self.free_inodes() == 0 {
            return Err(Errno::ENOSPC);
        }
        let owner = (node.uid, node.gid);
        self.quota.one_more(owner)?;
        let ino = self.last + 1;
        let mut inode = Inode::new(node, dir, now);
        let mut used = self.used;
        inode.charge(&mut used, &mut Quota::default());
        if inode.charged > self.free() {
            return Err(Errno::ENOSPC);
        }
        if inode.charged > self.quota.room(owner) {
            return Err(Errno::EDQUOT);
        }
        match (name, &mut inode.body) {
            (NewName::Named(name), body) => {
                if let Body::Directory(directory) = body {
                    directory.name = name.to_vec();
                }
                self.enter(dir, name, ino, now)?;
            }
            (NewName::Unnamed { linkable }, _) => (inode.nlink, inode.linkable) = (0, linkable),
        }
        if node.kind == Kind::Directory {
            self.get_mut(dir)?.nlink += 1;
        }
        (self.last, self.used) = (ino, used);
        self.quota.count(owner, inode.charged, true);
        self.inodes.insert(ino, inode);
        Ok(ino)
    }

    /// Enters a name.
    pub(super) fn enter(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<(), Errno> {
        let inode = self.get_mut(dir)?;
        if inode.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        let directory = inode.directory_mut()?;
        if directory.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        directory.insert(name, ino);
        (inode.mtime, inode.ctime) = (now, now);
        Ok(())
    }

    /// Takes a name out.
    pub(super) fn leave(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<Ino, Errno> {
        let inode = self.get_mut(dir)?;
        let ino = inode.directory_mut()?.remove(name).ok_or(Errno::ENOENT)?;
        (inode.mtime, inode.ctime) = (now, now);
        Ok(ino)
    }

    /// An inode has lost a name; a directory has only one.
    pub(super) fn drop_name(&mut self, ino: Ino, now: Time) {
        let Some(inode) = self.inodes.get_mut(&ino) else { return };
        inode.ctime = now;
        inode.nlink = match inode.directory() {
            Ok(_) => 0,
            Err(_) => inode.nlink.saturating_sub(1),
        };
        self.links = self.links.saturating_sub(u64::from(inode.nlink > 0));
        if let Ok(parent) = inode.directory().map(|directory| directory.parent)
            && let Some(parent) = self.inodes.get_mut(&parent)
        {
            parent.nlink = parent.nlink.saturating_sub(1);
        }
        self.reap(ino);
    }

    pub(super) fn move_name(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<(), Errno> {
        let ino = self.lookup(from.0, from.1)?;
        if let Ok(old) = self.lookup(to.0, to.1) {
            if old == ino {
                return Ok(());
            }
            match self.get(old)?.directory().is_ok() {
                true => self.rmdir(to.0, to.1, now)?,
                false => self.unlink(to.0, to.1, now)?,
            }
        }
        self.leave(from.0, from.1, now)?;
        self.enter(to.0, to.1, ino, now)?;
        self.moved(ino, from.0, to, now)
    }

    pub(super) fn exchange_names(
        &mut self,
        one: (Ino, &[u8]),
        other: (Ino, &[u8]),
        now: Time,
    ) -> Result<(), Errno> {
        let (first, second) = (self.lookup(one.0, one.1)?, self.lookup(other.0, other.1)?);
        for (place, ino) in [(one, second), (other, first)] {
            let dir = self.get_mut(place.0)?;
            dir.directory_mut()?.replace(place.1, ino);
            (dir.mtime, dir.ctime) = (now, now);
        }
        self.moved(first, one.0, other, now)?;
        self.moved(second, other.0, one, now)
    }

    /// An inode stands somewhere else now: a directory has another parent and name.
    fn moved(&mut self, ino: Ino, from: Ino, to: (Ino, &[u8]), now: Time) -> Result<(), Errno> {
        let inode = self.get_mut(ino)?;
        inode.ctime = now;
        let Ok(directory) = inode.directory_mut() else { return Ok(()) };
        directory.parent = to.0;
        directory.name = to.1.to_vec();
        let source = self.get_mut(from)?;
        source.nlink = source.nlink.saturating_sub(1);
        self.get_mut(to.0)?.nlink += 1;
        Ok(())
    }
}
