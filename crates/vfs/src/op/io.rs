//! Bytes and directory entries. Permission was checked when the file was opened.

use crate::dev::NULL;
use crate::fs::SharedMemory;
use crate::mount::{Location, Vfs};
use crate::node::{Attr, Ino, Kind, SetAttr, Time};
use abi::Errno;

/// Called for each directory entry: cookie, inode, type, name. False ends it.
pub type EachEntry<'a> = &'a mut dyn FnMut(u64, Ino, Kind, &[u8]) -> bool;

impl Vfs {
    /// Reads from a regular file or a device; answers how many bytes.
    ///
    /// # Errors
    /// `EISDIR`, `ENXIO`: no such device.
    pub fn read(
        &mut self,
        at: Location,
        offset: u64,
        into: &mut [u8],
        atime: Option<Time>,
    ) -> Result<usize, Errno> {
        let attr = self.attr(at)?;
        if attr.kind == Kind::Char {
            return self.devices.read(attr.rdev, into);
        }
        let fs = self.fs_mut(at)?;
        let read = fs.read(at.ino, offset, into)?;
        if let Some(now) = atime {
            fs.touch(at.ino, now);
        }
        Ok(read)
    }

    /// Writes to a regular file or a device; answers how many bytes.
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`, `ENXIO`.
    pub fn write(&mut self, at: Location, offset: u64, bytes: &[u8], now: Time) -> Result<usize, Errno> {
        let attr = self.attr(at)?;
        if attr.kind == Kind::Char {
            return self.devices.write(attr.rdev, bytes);
        }
        self.drop_set_id(at, &attr, now)?;
        self.fs_mut(at)?.write(at.ino, offset, bytes, now)
    }

    /// A write takes set-user-ID away, and set-group-ID from what a group may execute (inode(7)).
    fn drop_set_id(&mut self, at: Location, attr: &Attr, now: Time) -> Result<(), Errno> {
        let dropped = if attr.mode & 0o010 != 0 { 0o6000 } else { 0o4000 };
        if attr.mode & dropped == 0 {
            return Ok(());
        }
        self.fs_mut(at)?.set_attr(
            at.ino,
            &SetAttr { mode: Some(attr.mode & !dropped), ..SetAttr::default() },
            now,
        )
    }

    /// Whether a device of this number can be opened.
    ///
    /// # Errors
    /// `ENXIO`.
    pub fn open_device(&self, rdev: u64) -> Result<(), Errno> {
        self.devices.open(rdev)
    }

    /// Whether this device is /dev/null: what is written there is gone.
    #[must_use]
    pub fn is_null(&self, rdev: u64) -> bool {
        rdev == NULL
    }

    /// fallocate(2).
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`, `EOPNOTSUPP`, `ENODEV`.
    pub fn allocate(
        &mut self,
        at: Location,
        mode: u32,
        offset: u64,
        len: u64,
        now: Time,
    ) -> Result<(), Errno> {
        match self.attr(at)?.kind {
            Kind::Regular => self.fs_mut(at)?.allocate(at.ino, mode, offset, len, now),
            Kind::Directory => Err(Errno::EISDIR),
            Kind::Fifo => Err(Errno::ESPIPE),
            _ => Err(Errno::ENODEV),
        }
    }

    /// lseek(2) with `SEEK_DATA` or `SEEK_HOLE`.
    ///
    /// # Errors
    /// `ENXIO`.
    pub fn seek(&self, at: Location, offset: u64, data: bool) -> Result<u64, Errno> {
        self.fs(at)?.seek(at.ino, offset, data)
    }

    /// The bytes of a regular file as memory that others can map.
    ///
    /// # Errors
    /// `ENODEV`: none to be had.
    pub fn share(&mut self, at: Location, memory: &mut dyn SharedMemory) -> Result<u64, Errno> {
        match self.attr(at)?.kind {
            Kind::Regular => self.fs_mut(at)?.share(at.ino, memory),
            _ => Err(Errno::ENODEV),
        }
    }

    /// Calls `each` with cookie, inode, type and name of the entries behind cookie `after`, `.` and `..` first, until it answers
    /// false.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT`: the directory was removed.
    pub fn read_dir(&self, at: Location, after: u64, each: EachEntry<'_>) -> Result<(), Errno> {
        let fs = self.fs(at)?;
        if fs.attr(at.ino)?.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        if after < 1 && !each(1, at.ino, Kind::Directory, b".") {
            return Ok(());
        }
        let above = self.below_mount(at).unwrap_or(at);
        if after < 2 && !each(2, self.fs(above)?.parent(above.ino)?, Kind::Directory, b"..") {
            return Ok(());
        }
        fs.read_dir(at.ino, after, &mut |cookie, ino, name| {
            let kind = fs.attr(ino).map_or(Kind::Regular, |attr| attr.kind);
            each(cookie, ino, kind, name)
        })
    }
}
