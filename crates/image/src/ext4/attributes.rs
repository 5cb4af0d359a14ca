//! What an inode tells of itself: mode, owner, times, size.

use super::device::timestamp;
use super::{Result, State, Times, number, of};
use abi::Errno;
use rsext4::{DeviceNumber, DirectoryEntryType, FilePermissions, InodeMetadataUpdate, XattrNamespace};
use vfs::{Attr, Ino, Kind, SetAttr, Time};

/// Set-user-ID and set-group-ID.
const SET_ID: u16 = 0o6000;

impl State {
    pub(super) fn attr(&mut self, ino: Ino) -> Result<Attr> {
        let info = self.inode(ino)?;
        let kind = kind(info.file_type()).ok_or(Errno::EUCLEAN)?;
        let times = self.times_of(&info);
        let acl = if kind == Kind::Symlink { None } else { self.acl(ino, XattrNamespace::PosixAclAccess)? };
        Ok(Attr {
            ino,
            kind,
            mode: u32::from(info.mode & 0o7777),
            nlink: if self.unnamed.contains_key(&ino) { 0 } else { u64::from(info.links) },
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

    pub(super) fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()> {
        let inode = number(ino)?;
        let info = self.at(now).inode(ino)?;
        let times = self.times_of(&info);
        if let Some(size) = change.size {
            self.resize(ino, size)?;
            if size < info.size {
                self.commits.freed(ino);
            }
            if size == 0 {
                self.anchored.remove(&ino);
            }
        }
        let owner = (change.uid.is_some() || change.gid.is_some())
            .then(|| (change.uid.unwrap_or(info.uid), change.gid.unwrap_or(info.gid)));
        let mode = change.mode.map_or(info.mode & 0o7777, |mode| u16::try_from(mode & 0o7777).unwrap_or(0));
        let mtime = change.mtime.or(change.size.map(|_| now));
        if owner.is_some() {
            // The crate takes set-user-ID away with the owner; whether it goes has been decided, so the mode comes after.
            of(self.ext4.update_inode_metadata(
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
        of(self.ext4.update_inode_metadata(inode, update))?;
        let times = Times {
            atime: change.atime.unwrap_or(times.atime),
            mtime: mtime.unwrap_or(times.mtime),
            ctime: now,
            ..times
        };
        self.times.insert(inode.raw(), times);
        self.changed();
        Ok(())
    }

    /// Changes a file's bytes. With each such change the crate takes set-user-ID and set-group-ID away; whether they go has been decided.
    pub(super) fn keeping_mode<T>(
        &mut self,
        ino: Ino,
        now: Time,
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let info = self.inode(ino)?;
        let changed = change(self.at(now))?;
        if info.mode & SET_ID != 0 {
            let permissions = Some(of(FilePermissions::new(info.mode & 0o7777))?);
            let update = InodeMetadataUpdate { permissions, ..InodeMetadataUpdate::default() };
            of(self.ext4.update_inode_metadata(info.number, update))?;
        }
        Ok(changed)
    }

    /// Sets the time of the last access and nothing else.
    pub(super) fn set_atime(&mut self, ino: Ino, atime: Time) -> Result<()> {
        let info = self.inode(ino)?;
        // An access alone is no change of the inode: the crate would set ctime, so it is told the old one.
        let times = self.times_of(&info);
        let update = InodeMetadataUpdate { atime: Some(timestamp(atime)), ..InodeMetadataUpdate::default() };
        of(self.at(times.ctime).ext4.update_inode_metadata(info.number, update))?;
        self.times.insert(info.number.raw(), Times { atime, ..times });
        Ok(())
    }
}

pub(super) fn kind(file_type: DirectoryEntryType) -> Option<Kind> {
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

/// gnu_dev_major(3), gnu_dev_minor(3).
pub(super) fn device_number(rdev: u64) -> Result<DeviceNumber> {
    let major = (rdev >> 8) & 0xfff;
    let minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff_ff00);
    let narrow = |number: u64| u32::try_from(number).map_err(|_| Errno::EINVAL);
    of(DeviceNumber::new(narrow(major)?, narrow(minor)?))
}

fn makedev(number: DeviceNumber) -> u64 {
    let (major, minor) = (u64::from(number.major()), u64::from(number.minor()));
    major << 8 | minor & 0xff | (minor & !0xff) << 12
}
