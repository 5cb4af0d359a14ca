//! The operations.

use super::device::timestamp;
use super::{Ext4Fs, Result, State, acl, errno, number};
use abi::Errno;
use abi::layout::Statfs;
use abi::raw::general::{
    FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE,
};
use rsext4::{
    DeviceNumber, DirectoryCursor, DirectoryEntryType, Ext4Error, Ext4ErrorKind, FileExtentTarget, FileName,
    FilePermissions, InodeMetadataUpdate, MutationContext, PreallocationOptions, RangeOperation,
    RenameOptions, SpecialInodeKind, XattrNamespace, XattrSetMode, ZeroRangeOptions,
};
use std::sync::Arc;
use vfs::{Acl, Attr, EachName, FileSystem, Ino, Kind, NewName, NewNode, SetAttr, Time};

const MAGIC: i64 = 0xef53;
/// Entries that are read at a time.
const BATCH: usize = 1024;
/// Blocks that are left for the trees of a file and of a directory.
const SPARE: u64 = 16;
/// Cookies of `.` and `..`; those of others lie above.
const DOTS: u64 = 2;

fn file_name(name: &[u8]) -> Result<FileName<'_>> {
    FileName::new(name).map_err(|_| if name.len() > 255 { Errno::ENAMETOOLONG } else { Errno::EINVAL })
}

pub(super) fn of<T>(result: std::result::Result<T, Ext4Error>) -> Result<T> {
    result.map_err(|error| errno(&error))
}

fn kind(file_type: DirectoryEntryType) -> Option<Kind> {
    Some(match file_type {
        DirectoryEntryType::RegularFile => Kind::Regular,
        DirectoryEntryType::Directory => Kind::Directory,
        DirectoryEntryType::CharacterDevice => Kind::Char,
        DirectoryEntryType::BlockDevice => Kind::Block,
        DirectoryEntryType::Fifo => Kind::Fifo,
        DirectoryEntryType::Socket => Kind::Socket,
        DirectoryEntryType::Symlink => Kind::Symlink,
        DirectoryEntryType::Unknown => return None,
    })
}

/// The name space and the rest of an extended attribute's name.
fn space(name: &[u8]) -> Result<(XattrNamespace, &[u8])> {
    let spaces: [(&[u8], XattrNamespace); 3] = [
        (b"user.", XattrNamespace::User),
        (b"trusted.", XattrNamespace::Trusted),
        (b"security.", XattrNamespace::Security),
    ];
    let found = spaces.into_iter().find_map(|(prefix, space)| Some((space, name.strip_prefix(prefix)?)));
    found.ok_or(Errno::EOPNOTSUPP)
}

fn prefix(space: XattrNamespace) -> Option<&'static [u8]> {
    match space {
        XattrNamespace::User => Some(b"user."),
        XattrNamespace::Trusted => Some(b"trusted."),
        XattrNamespace::Security => Some(b"security."),
        _ => None,
    }
}

/// gnu_dev_major(3), gnu_dev_minor(3).
fn device_number(rdev: u64) -> Result<DeviceNumber> {
    let major = (rdev >> 8) & 0xfff;
    let minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff_ff00);
    let narrow = |number: u64| u32::try_from(number).map_err(|_| Errno::EINVAL);
    of(DeviceNumber::new(narrow(major)?, narrow(minor)?))
}

fn makedev(number: DeviceNumber) -> u64 {
    let (major, minor) = (u64::from(number.major()), u64::from(number.minor()));
    major << 8 | minor & 0xff | (minor & !0xff) << 12
}

impl State {
    fn acl(&mut self, ino: Ino, space: XattrNamespace) -> Result<Option<Arc<Acl>>> {
        match self.ext4.get_xattr(number(ino)?, space, b"") {
            Ok(value) => Ok(acl::decode(&value)?.map(Arc::new)),
            Err(error) if error.kind() == Ext4ErrorKind::NotFound => Ok(None),
            Err(error) => Err(errno(&error)),
        }
    }

    fn attr(&mut self, ino: Ino) -> Result<Attr> {
        let info = self.inode(ino)?;
        let kind = kind(info.file_type()).ok_or(Errno::EUCLEAN)?;
        let times = self.times_of(&info);
        let acl = if kind == Kind::Symlink { None } else { self.acl(ino, XattrNamespace::PosixAclAccess)? };
        Ok(Attr {
            ino,
            kind,
            mode: u32::from(info.mode & 0o7777),
            nlink: u64::from(info.links),
            uid: info.uid,
            gid: info.gid,
            rdev: info.device_number.map_or(0, makedev),
            size: info.size,
            blocks: info.blocks,
            atime: times.atime,
            mtime: times.mtime,
            ctime: times.ctime,
            btime: times.btime,
            acl,
        })
    }

    fn child(&mut self, dir: Ino, name: &[u8]) -> Result<Ino> {
        let found = of(self.ext4.lookup_child(number(dir)?, file_name(name)?))?;
        found.map(|info| info.number.as_u64()).ok_or(Errno::ENOENT)
    }

    /// A directory was changed.
    fn note_dir(&mut self, dir: Ino, now: Time) {
        self.grown.extend(number(dir).map(rsext4::InodeNumber::raw));
        self.note(dir, |times| (times.mtime, times.ctime) = (now, now));
    }

    fn make(&mut self, dir: Ino, name: &[u8], node: &NewNode, now: Time) -> Result<Ino> {
        let (parent, name) = (number(dir)?, file_name(name)?);
        self.has_room(0)?;
        let context = MutationContext::new(node.uid, node.gid, 0, 0);
        let mode = u16::try_from(node.mode & 0o7777).map_err(|_| Errno::EINVAL)?;
        let permissions = of(FilePermissions::new(mode))?;
        let ext4 = &mut self.at(now).ext4;
        let special = match node.kind {
            Kind::Regular => {
                return of(ext4.create_regular_file(context, parent, name, permissions)).map(made);
            }
            Kind::Directory => {
                return of(ext4.create_directory(context, parent, name, permissions)).map(made);
            }
            Kind::Symlink => return of(ext4.create_symlink(context, parent, name, &node.target)).map(made),
            Kind::Char => SpecialInodeKind::CharacterDevice(device_number(node.rdev)?),
            Kind::Block => SpecialInodeKind::BlockDevice(device_number(node.rdev)?),
            Kind::Fifo => SpecialInodeKind::Fifo,
            Kind::Socket => SpecialInodeKind::Socket,
        };
        of(ext4.create_special_inode(context, parent, name, permissions, special)).map(made)
    }

    /// Sets the time of the last access and nothing else.
    fn set_atime(&mut self, ino: Ino, atime: Time) -> Result<()> {
        let info = self.inode(ino)?;
        // An access alone is no change of the inode: the crate would set ctime, so it is told the old one.
        let times = self.times_of(&info);
        let update = InodeMetadataUpdate { atime: Some(timestamp(atime)), ..InodeMetadataUpdate::default() };
        of(self.at(times.ctime).ext4.update_inode_metadata(info.number, update))?;
        self.times.insert(info.number.raw(), super::Times { atime, ..times });
        Ok(())
    }

    /// Everything is on the disk, and the crate can do what follows: with the journal nearly full it refuses to write a superblock as
    /// the first thing of a transaction (`jbd2:checkpoint_with_unfinished_block_edit`), so another change begins it.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        self.commit()?;
        let root = self.ext4.root_inode().as_u64();
        let info = self.inode(root)?;
        let atime = self.times_of(&info).atime;
        self.set_atime(root, atime)
    }

    /// That so many blocks can be taken, and some for what leads to them: the crate loses blocks when it runs out halfway (0.9.2),
    /// and e2fsck(8) complains.
    pub(super) fn has_room(&mut self, blocks: u64) -> Result<()> {
        let needed = blocks + blocks / 64 + SPARE;
        let fits = |state: &Self| state.ext4.statfs().free_blocks >= needed;
        if fits(self) || self.reclaims()? && fits(self) { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    /// How many of these bytes can be written.
    fn writable(&mut self, ino: Ino, offset: u64, len: usize) -> Result<usize> {
        let size = self.raw.block_size;
        let end = offset.checked_add(len as u64).ok_or(Errno::EFBIG)?;
        let (first, last) = (offset / size, end.div_ceil(size));
        if self.has_room(last - first).is_ok() {
            return Ok(len);
        }
        // Of a nearly full file system: up to the first block that would have to be taken.
        let begin = first * size;
        let target = FileExtentTarget::Data;
        let map = of(self.ext4.inode_extents(number(ino)?, begin, last * size - begin, target, 64))?;
        let mut known = begin;
        for extent in &map.extents {
            if extent.logical_start > known || extent.state != rsext4::FileExtentState::Initialized {
                break;
            }
            known = extent.logical_start.saturating_add(extent.length);
        }
        match usize::try_from(known.min(end).saturating_sub(offset)).unwrap_or(len) {
            0 => Err(Errno::ENOSPC),
            len => Ok(len),
        }
    }

    fn list(&mut self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        let mut reader = of(self.ext4.open_directory_reader(number(dir)?))?;
        let mut cursor = DirectoryCursor::Start;
        loop {
            let entries = of(self.ext4.read_directory_with_reader(&mut reader, cursor, BATCH))?;
            let Some(last) = entries.last() else { return Ok(()) };
            let begin = cursor;
            cursor = last.next_cursor;
            for entry in entries {
                let at = cookie(entry.next_cursor);
                if entry.name == b"." || entry.name == b".." || at <= after {
                    continue;
                }
                let kind = match kind(entry.file_type) {
                    Some(kind) => kind,
                    None => self.attr(entry.inode.as_u64())?.kind,
                };
                if !each(at, entry.inode.as_u64(), kind, &entry.name) {
                    return Ok(());
                }
            }
            if cursor == DirectoryCursor::End || cursor == begin {
                return Ok(());
            }
        }
    }
}

fn made(info: rsext4::InodeInfo) -> Ino {
    info.number.as_u64()
}

/// What getdents(2) tells of a place in a directory: the same for as long as the entry is there.
fn cookie(next: DirectoryCursor) -> u64 {
    let cookie = match next {
        DirectoryCursor::Start => 0,
        DirectoryCursor::Linear { offset } => offset,
        // fs/ext4/dir.c, hash2pos: the hash is even.
        DirectoryCursor::HTree { major, minor, .. } => u64::from(major >> 1) << 32 | u64::from(minor),
        DirectoryCursor::End => u64::MAX >> 1,
    };
    cookie.max(DOTS + 1)
}

impl FileSystem for Ext4Fs {
    fn name(&self) -> &'static str {
        "ext4"
    }

    fn root(&self) -> Ino {
        self.0.borrow().ext4.root_inode().as_u64()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        self.0.borrow_mut().attr(ino)
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()> {
        let state = self.0.get_mut();
        let inode = number(ino)?;
        let info = state.at(now).inode(ino)?;
        let times = state.times_of(&info);
        if let Some(size) = change.size {
            of(state.ext4.truncate_inode(inode, size))?;
            if size < info.size {
                state.commits.freed(ino);
            }
            if size == 0 {
                state.anchored.remove(&ino);
            }
        }
        let owner = (change.uid.is_some() || change.gid.is_some())
            .then(|| (change.uid.unwrap_or(info.uid), change.gid.unwrap_or(info.gid)));
        let mode = change.mode.map_or(info.mode & 0o7777, |mode| u16::try_from(mode & 0o7777).unwrap_or(0));
        let mtime = change.mtime.or(change.size.map(|_| now));
        if owner.is_some() {
            // The crate takes set-user-ID away with the owner; whether it goes has been decided, so the mode comes after.
            of(state.ext4.update_inode_metadata(
                inode,
                InodeMetadataUpdate { owner, ..InodeMetadataUpdate::default() },
            ))?;
        }
        let update = InodeMetadataUpdate {
            permissions: Some(of(FilePermissions::new(mode))?),
            atime: change.atime.map(timestamp),
            mtime: mtime.map(timestamp),
            ..InodeMetadataUpdate::default()
        };
        of(state.ext4.update_inode_metadata(inode, update))?;
        let times = super::Times {
            atime: change.atime.unwrap_or(times.atime),
            mtime: mtime.unwrap_or(times.mtime),
            ctime: now,
            ..times
        };
        state.times.insert(inode.raw(), times);
        state.changed();
        Ok(())
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.0.borrow_mut().child(dir, name)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        self.0.borrow_mut().child(dir, b"..")
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        let mut state = self.0.borrow_mut();
        let parent = state.child(dir, b"..")?;
        let mut found = None;
        state.list(parent, 0, &mut |_, ino, _, name| {
            if ino == dir {
                found = Some(name.to_vec());
            }
            found.is_none()
        })?;
        found.ok_or(Errno::ENOENT)
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino> {
        // The crate cannot make inodes without names.
        let NewName::Named(name) = name else { return Err(Errno::EOPNOTSUPP) };
        let state = self.0.get_mut();
        let ino = match state.make(dir, name, node, now) {
            // Inodes run out as well.
            Err(Errno::ENOSPC) if state.reclaims()? => state.make(dir, name, node, now)?,
            made => made?,
        };
        state.commits.made(ino);
        state
            .times
            .insert(number(ino)?.raw(), super::Times { atime: now, mtime: now, ctime: now, btime: now });
        state.note_dir(dir, now);
        state.changed();
        Ok(ino)
    }

    fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<()> {
        let state = self.0.get_mut();
        state.has_room(0)?;
        of(state.at(now).ext4.hard_link(number(ino)?, number(dir)?, file_name(name)?))?;
        state.note(ino, |times| times.ctime = now);
        state.note_dir(dir, now);
        state.changed();
        Ok(())
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        let state = self.0.get_mut();
        let outcome = of(state.at(now).ext4.unlink(number(dir)?, file_name(name)?))?;
        state.note_dir(dir, now);
        let ino = outcome.inode.as_u64();
        state.note(ino, |times| times.ctime = now);
        if outcome.requires_reap() {
            state.bury(ino)?;
        }
        state.changed();
        Ok(())
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        let state = self.0.get_mut();
        let outcome = of(state.at(now).ext4.remove_empty_directory(number(dir)?, file_name(name)?))?;
        state.note_dir(dir, now);
        let ino = outcome.inode.as_u64();
        state.note(ino, |times| times.ctime = now);
        if outcome.requires_reap() {
            state.bury(ino)?;
        }
        state.changed();
        Ok(())
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<()> {
        self.move_name(from, to, RenameOptions::REPLACE, now)
    }

    fn exchange(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), now: Time) -> Result<()> {
        self.move_name(one, other, RenameOptions::EXCHANGE, now)?;
        let state = self.0.get_mut();
        let ino = state.child(one.0, one.1)?;
        state.note(ino, |times| times.ctime = now);
        Ok(())
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        let mut state = self.0.borrow_mut();
        let info = state.inode(ino)?;
        if info.file_type() != DirectoryEntryType::Symlink {
            return Err(Errno::EINVAL);
        }
        let mut target = vec![0; usize::try_from(info.size.min(4096)).unwrap_or(0)];
        let len = of(state.ext4.read_inode(number(ino)?, 0, &mut target))?;
        target.truncate(len);
        Ok(target)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        of(self.0.borrow_mut().ext4.read_inode(number(ino)?, offset, into))
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        let state = self.0.get_mut();
        state.allocates()?;
        let len = state.writable(ino, offset, bytes.len())?;
        state.anchor(ino, offset, len as u64, now)?;
        of(state.at(now).ext4.write_inode(number(ino)?, offset, &bytes[..len]))?;
        state.note(ino, |times| (times.mtime, times.ctime) = (now, now));
        state.changed();
        Ok(len)
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()> {
        let keep_size = mode & FALLOC_FL_KEEP_SIZE != 0;
        let operation = match mode & !FALLOC_FL_KEEP_SIZE {
            0 => RangeOperation::Allocate(PreallocationOptions { keep_size }),
            FALLOC_FL_PUNCH_HOLE => RangeOperation::PunchHole,
            FALLOC_FL_ZERO_RANGE => RangeOperation::Zero(ZeroRangeOptions { keep_size }),
            FALLOC_FL_COLLAPSE_RANGE if !keep_size => RangeOperation::Collapse,
            FALLOC_FL_INSERT_RANGE if !keep_size => RangeOperation::Insert,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let state = self.0.get_mut();
        state.allocates()?;
        if mode & FALLOC_FL_PUNCH_HOLE == 0 {
            state.has_room(len.div_ceil(state.raw.block_size))?;
        }
        let (offset, len) = match operation {
            RangeOperation::Allocate(_) | RangeOperation::Zero(_) => {
                state.anchor(ino, offset, len, now)?;
                (offset, len)
            }
            RangeOperation::PunchHole => state.spare_first(ino, offset, len, now)?,
            RangeOperation::Collapse | RangeOperation::Insert => {
                state.anchored.remove(&ino);
                (offset, len)
            }
        };
        if len > 0 {
            of(state.at(now).ext4.operate_inode_range(number(ino)?, offset, len, operation))?;
        }
        if !matches!(operation, RangeOperation::Allocate(_) | RangeOperation::Insert) {
            state.commits.freed(ino);
        }
        state.note(ino, |times| (times.mtime, times.ctime) = (now, now));
        state.changed();
        Ok(())
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        let mut state = self.0.borrow_mut();
        let size = state.inode(ino)?.size;
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        let mut at = offset;
        while at < size {
            // As few as tell what follows: the one at this place and the next.
            let target = FileExtentTarget::Data;
            let map = of(state.ext4.inode_extents(number(ino)?, at, size - at, target, 16))?;
            let written =
                map.extents.iter().filter(|extent| extent.state == rsext4::FileExtentState::Initialized);
            let mut hole = at;
            for extent in written {
                let end = extent.logical_start.saturating_add(extent.length);
                match data {
                    true if end > at => return Ok(extent.logical_start.max(at)),
                    false if extent.logical_start > hole => return Ok(hole),
                    _ => hole = hole.max(end),
                }
            }
            match (data, map.complete || map.extents.is_empty()) {
                (true, true) => return Err(Errno::ENXIO),
                (false, true) => return Ok(hole.min(size)),
                (true, false) | (false, false) => {
                    let last =
                        map.extents.iter().map(|extent| extent.logical_start.saturating_add(extent.length));
                    at = last.max().unwrap_or(size).max(at + 1);
                }
            }
        }
        if data { Err(Errno::ENXIO) } else { Ok(size) }
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.0.borrow_mut().list(dir, after, each)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let (space, rest) = space(name)?;
        match self.0.borrow_mut().ext4.get_xattr(number(ino)?, space, rest) {
            Err(error) if error.kind() == Ext4ErrorKind::NotFound => Err(Errno::ENODATA),
            value => of(value),
        }
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        let names = of(self.0.borrow_mut().ext4.list_xattrs(number(ino)?))?;
        let shown = names.into_iter().filter_map(|name| Some([prefix(name.namespace)?, &name.name].concat()));
        Ok(shown.collect())
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, now: Time) -> Result<()> {
        let (space, rest) = space(name)?;
        let state = self.0.get_mut();
        if value.is_some() {
            state.has_room(0)?;
        }
        let ext4 = &mut state.at(now).ext4;
        let outcome = match value {
            Some(value) => ext4.set_xattr(number(ino)?, space, rest, value, XattrSetMode::Upsert),
            None => ext4.remove_xattr(number(ino)?, space, rest),
        };
        match outcome {
            Err(error) if error.kind() == Ext4ErrorKind::NotFound => return Err(Errno::ENODATA),
            outcome => of(outcome)?,
        }
        state.note(ino, |times| times.ctime = now);
        state.changed();
        Ok(())
    }

    fn has_acls(&self) -> bool {
        true
    }

    fn default_acl(&self, dir: Ino) -> Result<Option<Arc<Acl>>> {
        self.0.borrow_mut().acl(dir, XattrNamespace::PosixAclDefault)
    }

    fn set_acl(&mut self, ino: Ino, default: bool, acl: Option<Arc<Acl>>, now: Time) -> Result<()> {
        let space = if default { XattrNamespace::PosixAclDefault } else { XattrNamespace::PosixAclAccess };
        let state = self.0.get_mut();
        let there = state.acl(ino, space)?.is_some();
        let ext4 = &mut state.at(now).ext4;
        match acl {
            Some(acl) => {
                // A block at most, which has_room keeps free.
                of(ext4.set_xattr(number(ino)?, space, b"", &acl::encode(&acl), XattrSetMode::Upsert))?;
            }
            None if there => of(ext4.remove_xattr(number(ino)?, space, b""))?,
            None => return Ok(()),
        }
        state.note(ino, |times| times.ctime = now);
        state.changed();
        Ok(())
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        let state = self.0.get_mut();
        let holders = state.holders.entry(ino).or_default();
        *holders = if held { *holders + 1 } else { holders.saturating_sub(1) };
        if *holders == 0 {
            state.holders.remove(&ino);
            if state.orphans.contains(&ino) {
                // Left on the disk's list of orphans if this fails: the next mount or e2fsck(8) takes it away.
                let _ = state.bury(ino);
            }
        }
    }

    fn identity(&self) -> Option<u64> {
        Some(self.0.borrow().raw.identity)
    }

    fn find(&self, ino: Ino) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let root = state.ext4.root_inode().as_u64();
        let own = ino != root && ino < u64::from(state.raw.first_inode);
        if own || state.attr(ino).map_err(|_| Errno::ESTALE)?.nlink == 0 {
            Err(Errno::ESTALE)
        } else {
            Ok(())
        }
    }

    fn statfs(&self) -> Result<Statfs> {
        let state = self.0.borrow();
        let stats = state.ext4.statfs();
        let block_size = stats.block_size.cast_signed();
        let free = stats.free_blocks + state.commits.dying_blocks() * 512 / stats.block_size.max(512);
        Ok(Statfs {
            f_type: MAGIC,
            f_bsize: block_size,
            f_frsize: block_size,
            f_blocks: stats.total_blocks,
            f_bfree: free,
            f_bavail: free.saturating_sub(state.raw.reserved),
            f_files: u64::from(stats.total_inodes),
            f_ffree: u64::from(stats.free_inodes),
            f_namelen: 255,
            ..Statfs::default()
        })
    }

    fn sync(&mut self, _ino: Option<Ino>) -> Result<()> {
        self.0.get_mut().commit()
    }

    fn unmount(&mut self) -> Result<()> {
        let state = self.0.get_mut();
        for ino in std::mem::take(&mut state.orphans) {
            state.holders.remove(&ino);
            let _ = state.bury(ino);
        }
        state.close()
    }

    /// The crate's own leaves in the journal what it has to write for that (0.9.2): so it is taken away and opened anew.
    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        super::options(options)?;
        let state = self.0.get_mut();
        if read_only == state.read_only {
            return Ok(());
        }
        if !state.orphans.is_empty() {
            return Err(Errno::EBUSY);
        }
        let disk = state.raw.disk.clone();
        if disk.is_read_only() {
            return Err(Errno::EROFS);
        }
        state.close()?;
        let holders = std::mem::take(&mut state.holders);
        *state = State { holders, ..State::open(disk, read_only)? };
        Ok(())
    }

    fn touch(&mut self, ino: Ino, now: Time) {
        let state = self.0.get_mut();
        if !state.read_only && state.set_atime(ino, now).is_ok() {
            state.changed();
        }
    }
}

impl Ext4Fs {
    fn move_name(
        &mut self,
        from: (Ino, &[u8]),
        to: (Ino, &[u8]),
        how: RenameOptions,
        now: Time,
    ) -> Result<()> {
        let state = self.0.get_mut();
        state.has_room(0)?;
        let ino = state.child(from.0, from.1)?;
        let (old, new) = ((number(from.0)?, file_name(from.1)?), (number(to.0)?, file_name(to.1)?));
        let outcome = of(state.at(now).ext4.rename(old.0, old.1, new.0, new.1, how))?;
        state.note(ino, |times| times.ctime = now);
        state.note_dir(from.0, now);
        state.note_dir(to.0, now);
        match outcome.replaced {
            Some(replaced) if replaced.requires_reap() => state.bury(replaced.inode.as_u64())?,
            Some(replaced) => state.note(replaced.inode.as_u64(), |times| times.ctime = now),
            None => {}
        }
        state.changed();
        Ok(())
    }
}
