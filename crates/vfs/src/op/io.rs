//! Bytes and directory entries. Permission was checked when the file was opened.

use crate::dev::{NULL, URANDOM};
use crate::fs::{EachName, SharedMemory};
use crate::mount::{Location, Vfs};
use crate::node::{Attr, Kind, SetAttr, Time};
use crate::permission::Who;
use abi::Errno;
use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, IN_MODIFY};

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
        match attr.kind {
            Kind::Char | Kind::Block if self.drive(attr.rdev).is_some() => {
                return self.read_drive(attr.rdev, offset, into);
            }
            Kind::Char => return self.devices.read(attr.rdev, into),
            _ => {}
        }
        let read = self.fs(at)?.read(at.ino, offset, into)?;
        match atime {
            Some(now) if self.flags(at).touches(&attr, now) => self.fs_mut(at)?.touch(at.ino, now),
            _ => {}
        }
        Ok(read)
    }

    /// A directory was listed or a symbolic link read: its access time may change.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn touch(&mut self, at: Location, now: Time) -> Result<(), Errno> {
        if self.flags(at).touches(&self.attr(at)?, now) {
            self.fs_mut(at)?.touch(at.ino, now);
        }
        Ok(())
    }

    /// Writes to a regular file or a device; answers how many bytes. `who` is asked only whether set-user-ID and set-group-ID
    /// survive the write.
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`, `ENXIO`.
    pub fn write(
        &mut self,
        who: &Who<'_>,
        at: Location,
        offset: u64,
        bytes: &[u8],
        now: Time,
    ) -> Result<usize, Errno> {
        let attr = self.attr(at)?;
        match attr.kind {
            Kind::Char | Kind::Block if self.drive(attr.rdev).is_some() => {
                return self.write_drive(attr.rdev, offset, bytes, now);
            }
            Kind::Char => return self.devices.write(attr.rdev, bytes),
            _ => {}
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let room = self.size_max(at)?.saturating_sub(offset);
        if room == 0 {
            return Err(Errno::EFBIG);
        }
        let bytes = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        self.drop_set_id(who, at, &attr, now)?;
        self.fs_mut(at)?.write(at.ino, offset, bytes, now)
    }

    /// What a change of a file's bytes does to its set-user-ID and set-group-ID bits.
    fn drop_set_id(&mut self, who: &Who<'_>, at: Location, attr: &Attr, now: Time) -> Result<(), Errno> {
        match who.mode_after_write(attr) {
            None => Ok(()),
            mode => self.fs_mut(at)?.set_attr(at.ino, &SetAttr { mode, ..SetAttr::default() }, now),
        }
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

    /// What was written to this inode is to outlive a crash of the host (fsync(2)).
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    pub fn sync(&mut self, at: Location) -> Result<(), Errno> {
        self.fs_mut(at)?.sync(Some(at.ino))
    }

    /// The same of all that was written to its file system (syncfs(2)).
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    pub fn sync_fs(&mut self, at: Location) -> Result<(), Errno> {
        self.fs_mut(at)?.sync(None)
    }

    /// What programs have stored into mappings is handed to whoever keeps it.
    pub fn write_back(&mut self) {
        self.systems.values_mut().for_each(|system| system.fs.write_back());
    }

    /// What programs have stored into mappings of the memory that is known as `id` is where a crash leaves it (msync(2)).
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    pub fn sync_shared(&mut self, id: u64, now: Time) -> Result<(), Errno> {
        let mut systems = self.systems.values_mut();
        let found = systems.find_map(|system| Some((system.fs.shared_as(id)?, system)));
        match found {
            Some((ino, system)) => system.fs.sync_shared(ino, now),
            None => Ok(()),
        }
    }

    /// Files that were closed while programs had them mapped are closed in truth where they no longer are; whether to come again.
    pub fn let_go_of_unmapped(&mut self) -> bool {
        let mut again = false;
        for system in self.systems.values_mut() {
            again |= system.fs.let_go_of_unmapped();
        }
        again
    }

    /// The same of all file systems (sync(2)). Only what waits is told.
    ///
    /// # Errors
    /// [`crate::remote::WAITS`].
    pub fn sync_all(&mut self) -> Result<(), Errno> {
        for system in self.systems.values_mut() {
            if let Err(crate::remote::WAITS) = system.fs.sync(None) {
                return Err(crate::remote::WAITS);
            }
        }
        Ok(())
    }

    /// Random bytes, as /dev/urandom gives them.
    ///
    /// # Errors
    /// None that could be.
    pub fn random(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        self.devices.read(URANDOM, into)
    }

    /// fallocate(2).
    ///
    /// # Errors
    /// `EINVAL`: no bytes; `ENOSPC`, `EFBIG`, `EOPNOTSUPP`, `ENODEV`.
    pub fn allocate(
        &mut self,
        who: &Who<'_>,
        at: Location,
        mode: u32,
        (offset, len): (u64, u64),
        now: Time,
    ) -> Result<(), Errno> {
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        if mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) == FALLOC_FL_PUNCH_HOLE {
            return Err(Errno::EOPNOTSUPP);
        }
        let attr = self.attr(at)?;
        match attr.kind {
            Kind::Regular => {
                let most = self.size_max(at)?;
                if offset.checked_add(len).is_none_or(|end| end > most) {
                    return Err(Errno::EFBIG);
                }
                self.fs_mut(at)?.allocate(at.ino, mode, offset, len, now)?;
                self.tell(at, None, IN_MODIFY);
                self.drop_set_id(who, at, &attr, now)
            }
            Kind::Directory => Err(Errno::EISDIR),
            Kind::Fifo => Err(Errno::ESPIPE),
            _ => Err(Errno::ENODEV),
        }
    }

    /// No file of this one's file system has more bytes.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn size_max(&self, at: Location) -> Result<u64, Errno> {
        Ok(self.fs(at)?.size_max())
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

    /// As [`Vfs::share`], where it costs little, `most` bytes with each call; `None`: there are more.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: it would cost more. `EBUSY`: more than reads would have saved so far.
    pub fn share_in_parts(
        &mut self,
        at: Location,
        memory: &mut dyn SharedMemory,
        most: u64,
    ) -> Result<Option<u64>, Errno> {
        match self.attr(at)?.kind {
            Kind::Regular => self.fs_mut(at)?.share_in_parts(at.ino, memory, most),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// A file was written and is large now: its bytes may move to memory that can be handed out. If they cannot it stays as it is.
    pub fn grown(&mut self, at: Location, memory: &mut dyn SharedMemory) {
        let _ = self.fs_mut(at).and_then(|fs| fs.grown(at.ino, memory));
    }

    /// Calls `each` with cookie, inode, type and name of the entries behind cookie `after`, `.` and `..` first, until it answers
    /// false.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT`: the directory was removed.
    pub fn read_dir(&self, at: Location, after: u64, each: EachName<'_>) -> Result<(), Errno> {
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
        fs.read_dir(at.ino, after, each)
    }
}
