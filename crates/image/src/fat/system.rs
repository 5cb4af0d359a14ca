//! The operations.

use super::{FatDrive, NOW, Result, State, date_time, is_among, mount, name};
use crate::hadris::{errno, kind, node, time, walk};
use crate::readonly::seek_without_holes;
use abi::Errno;
use abi::layout::Statfs;
use hadris_fs::{DirEntry, Permissions, RenameMode};
use vfs::{Attr, EachName, FileSystem, Ino, Kind, NewName, NewNode, SetAttr, Time};

const MAGIC: i64 = 0x4d44;

impl State {
    fn attr(&mut self, ino: Ino) -> Result<Attr> {
        if let Some(gone) = self.gone.get(&ino) {
            return Ok(gone.clone());
        }
        let known = self.volume.stat(node(ino)?).map_err(|error| errno(&error))?;
        let kind = kind(known.file_type()).ok_or(Errno::EUCLEAN)?;
        let directory = kind == Kind::Directory;
        let cluster = u64::from(self.volume.info().cluster_size());
        let size = if directory { cluster } else { known.len() };
        let mtime = time(known.modified()).unwrap_or(0);
        Ok(Attr {
            ino,
            kind,
            mode: self.options.mode(directory, known.permissions().bits() & 0o222 == 0),
            // Of directories 1 says that those below are not counted.
            nlink: u64::from(!self.hidden.contains_key(&ino)),
            uid: self.options.uid,
            gid: self.options.gid,
            rdev: 0,
            size,
            blocks: size.next_multiple_of(cluster) / 512,
            atime: time(known.accessed()).unwrap_or(mtime),
            mtime,
            ctime: mtime,
            btime: time(known.created()).unwrap_or(mtime),
            acl: None,
        })
    }

    /// The entries behind a place in a directory, until `each` answers false.
    fn walk(&mut self, dir: Ino, after: u64, each: &mut dyn FnMut(u64, &DirEntry) -> bool) -> Result<()> {
        if self.gone.contains_key(&dir) {
            return Ok(());
        }
        let (node, in_root) = (node(dir)?, dir == self.root());
        let Self { volume, hidden, .. } = self;
        walk(after, |at| volume.readdir(node, at), &mut |cookie, entry| {
            in_root && is_among(hidden, entry.name().as_bytes()) || each(cookie, entry)
        })
    }

    fn set_size(&mut self, ino: Ino, size: u64) -> Result<()> {
        self.volume.truncate(node(ino)?, size).map_err(|error| errno(&error))
    }

    fn remove(&mut self, dir: Ino, bytes: &[u8], directory: bool) -> Result<()> {
        let ino = self.find(dir, bytes)?;
        let attr = self.attr(ino)?;
        match (directory, attr.kind) {
            (true, Kind::Directory) => {
                let removed = self.volume.rmdir(node(dir)?, name(bytes)?);
                removed.map_err(|error| errno(&error))?;
                if self.holders.contains_key(&ino) {
                    self.gone.insert(ino, Attr { nlink: 0, ..attr });
                } else {
                    self.unpin(ino);
                }
                Ok(())
            }
            (true, _) => Err(Errno::ENOTDIR),
            (false, Kind::Directory) => Err(Errno::EISDIR),
            (false, _) if self.part(dir, bytes, ino)? => Ok(()),
            (false, _) => self.volume.unlink(node(dir)?, name(bytes)?).map_err(|error| errno(&error)),
        }
    }

    /// What stands at the new name makes way, as rename(2) says.
    fn make_way(&mut self, ino: Ino, dir: Ino, bytes: &[u8]) -> Result<()> {
        let there = match self.find(dir, bytes) {
            Ok(there) if there != ino => there,
            Ok(_) | Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        let directory = self.attr(there)?.kind == Kind::Directory;
        match (directory, self.attr(ino)?.kind == Kind::Directory) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            _ => {}
        }
        if directory { self.remove(dir, bytes, true) } else { self.part(dir, bytes, there).map(drop) }
    }
}

impl FileSystem for FatDrive {
    fn name(&self) -> &'static str {
        "vfat"
    }

    /// A size has 32 bits.
    fn size_max(&self) -> u64 {
        u32::MAX.into()
    }

    fn root(&self) -> Ino {
        self.0.borrow().root()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        self.0.borrow_mut().attr(ino)
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()> {
        NOW.set(now);
        let state = self.0.get_mut();
        let known = state.attr(ino)?;
        state.options.keeps_owners(change.uid, change.gid)?;
        let directory = known.kind == Kind::Directory;
        let read_only = match change.mode {
            Some(mode) => state.options.read_only(directory, mode)?,
            None => None,
        };
        if let Some(size) = change.size {
            state.set_size(ino, size)?;
        }
        let mut wanted = hadris_fs::SetAttr::new();
        if let Some(read_only) = read_only {
            wanted = wanted.with_permissions(Permissions::new(if read_only { 0o444 } else { 0o644 }));
        }
        if let Some(atime) = change.atime {
            wanted = wanted.with_accessed(date_time(atime));
        }
        if let Some(mtime) = change.mtime {
            wanted = wanted.with_modified(date_time(mtime));
        }
        // The root directory has no entry that could keep them.
        if wanted == hadris_fs::SetAttr::new() || ino == state.root() || state.gone.contains_key(&ino) {
            return Ok(());
        }
        state.volume.setattr(node(ino)?, &wanted).map_err(|error| errno(&error))
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        match self.0.borrow_mut().find(dir, name) {
            // No name of FAT's.
            Err(Errno::EINVAL) => Err(Errno::ENOENT),
            found => found,
        }
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        let state = &mut *self.0.borrow_mut();
        if state.gone.contains_key(&dir) {
            return Err(Errno::ENOENT);
        }
        let parent = state.volume.parent(node(dir)?).map_err(|error| errno(&error))?;
        Ok(state.pin(parent))
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        let parent = self.parent(dir)?;
        let mut found = None;
        self.0.borrow_mut().walk(parent, 0, &mut |_, entry| {
            if entry.node().get() == dir {
                found = Some(entry.name().as_bytes().to_vec());
            }
            found.is_none()
        })?;
        found.ok_or(Errno::ENOENT)
    }

    fn create(&mut self, dir: Ino, new: NewName<'_>, node_: &NewNode, now: Time) -> Result<Ino> {
        let NewName::Named(bytes) = new else { return Err(Errno::EOPNOTSUPP) };
        NOW.set(now);
        let state = self.0.get_mut();
        if state.gone.contains_key(&dir) {
            return Err(Errno::ENOENT);
        }
        let (dir, name, with) = (node(dir)?, name(bytes)?, hadris_fs::SetAttr::new());
        let made = match node_.kind {
            Kind::Regular => state.volume.create(dir, name, &with),
            Kind::Directory => state.volume.mkdir(dir, name, &with),
            _ => return Err(Errno::EPERM),
        };
        let made = made.map_err(|error| errno(&error))?;
        Ok(state.pin(made))
    }

    fn link(&mut self, _dir: Ino, _name: &[u8], _ino: Ino, _now: Time) -> Result<()> {
        Err(Errno::EPERM)
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        NOW.set(now);
        self.0.get_mut().remove(dir, name, false)
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        NOW.set(now);
        self.0.get_mut().remove(dir, name, true)
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<()> {
        NOW.set(now);
        let state = self.0.get_mut();
        // Pinned, it keeps its number.
        let ino = state.find(from.0, from.1)?;
        state.make_way(ino, to.0, to.1)?;
        let (old, new) = ((node(from.0)?, name(from.1)?), (node(to.0)?, name(to.1)?));
        let moved = state.volume.rename(old.0, old.1, new.0, new.1, RenameMode::Replace);
        moved.map_err(|error| errno(&error))
    }

    fn exchange(&mut self, _one: (Ino, &[u8]), _other: (Ino, &[u8]), _now: Time) -> Result<()> {
        Err(Errno::EINVAL)
    }

    fn readlink(&self, _ino: Ino) -> Result<Vec<u8>> {
        Err(Errno::EINVAL)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.0.borrow_mut().volume.read(node(ino)?, offset, into).map_err(|error| errno(&error))
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        NOW.set(now);
        self.0.get_mut().volume.write(node(ino)?, offset, bytes).map_err(|error| errno(&error))
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()> {
        NOW.set(now);
        let state = self.0.get_mut();
        let end = offset.checked_add(len).ok_or(Errno::EFBIG)?;
        match mode {
            // FAT has no blocks behind a file's end.
            0 if end <= state.attr(ino)?.size => Ok(()),
            0 => state.set_size(ino, end),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        seek_without_holes(self.attr(ino)?.size, offset, data)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.0.borrow_mut().walk(dir, after, &mut |cookie, entry| match kind(entry.file_type()) {
            Some(kind) => each(cookie, entry.node().get(), kind, entry.name().as_bytes()),
            None => true,
        })
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        let state = self.0.get_mut();
        let holders = state.holders.entry(ino).or_default();
        *holders = if held { *holders + 1 } else { holders.saturating_sub(1) };
        if *holders > 0 {
            return;
        }
        state.holders.remove(&ino);
        if state.gone.remove(&ino).is_some() {
            state.unpin(ino);
        }
        // What fails stays behind under its other name.
        let _ = state.bury(ino);
    }

    fn find(&self, ino: Ino) -> Result<()> {
        let state = self.0.borrow();
        let known = ino == state.root() || state.pinned.contains(&ino);
        if known && !state.hidden.contains_key(&ino) { Ok(()) } else { Err(Errno::ESTALE) }
    }

    fn statfs(&self) -> Result<Statfs> {
        let stats = self.0.borrow_mut().volume.statfs().map_err(|error| errno(&error))?;
        let block = i64::from(stats.block_size());
        Ok(Statfs {
            f_type: MAGIC,
            f_bsize: block,
            f_frsize: block,
            f_blocks: stats.total_blocks(),
            f_bfree: stats.free_blocks(),
            f_bavail: stats.free_blocks(),
            f_namelen: 255,
            ..Statfs::default()
        })
    }

    fn sync(&mut self, _ino: Option<Ino>) -> Result<()> {
        self.0.get_mut().volume.sync().map_err(|error| errno(&error))
    }

    fn unmount(&mut self) -> Result<()> {
        let state = self.0.get_mut();
        let hidden: Vec<Ino> = state.hidden.keys().copied().collect();
        for ino in hidden {
            let _ = state.bury(ino);
        }
        state.volume.sync().map_err(|error| errno(&error))
    }

    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        let state = self.0.get_mut();
        if !options.is_empty() {
            return Err(Errno::EINVAL);
        }
        if !read_only && state.disk.is_read_only() {
            return Err(Errno::EROFS);
        }
        if !state.hidden.is_empty() && read_only {
            return Err(Errno::EBUSY);
        }
        state.volume.sync().map_err(|error| errno(&error))?;
        if read_only == state.volume.is_read_only() || read_only {
            // Nobody but vfs would change anything, and it does not.
            return Ok(());
        }
        // Opened to be read only, nothing has moved: numbers are places as before.
        state.volume = mount(&state.disk, false)?;
        state.pinned.clear();
        Ok(())
    }
}
