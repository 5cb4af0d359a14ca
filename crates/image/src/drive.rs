//! A drive itself, as the one file of a file system (what `vfs` asks for when /dev/NAME is read and written).

use crate::disk::Disk;
use abi::Errno;
use abi::layout::Statfs;
use vfs::{Attr, DRIVE, EachName, FileSystem, Ino, Kind, NewName, NewNode, SetAttr, Time};

type Result<T> = std::result::Result<T, Errno>;

/// A file system of one file.
pub struct DriveFile {
    disk: Disk,
    times: Time,
    owner: (u32, u32),
}

impl DriveFile {
    /// The file with the bytes of this disk.
    #[must_use]
    pub const fn new(disk: Disk, owner: (u32, u32), now: Time) -> Self {
        Self { disk, times: now, owner }
    }
}

impl FileSystem for DriveFile {
    fn name(&self) -> &'static str {
        "drive"
    }

    fn root(&self) -> Ino {
        DRIVE
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        if ino != DRIVE {
            return Err(Errno::ESTALE);
        }
        Ok(Attr {
            ino,
            kind: Kind::Regular,
            mode: if self.disk.is_read_only() { 0o400 } else { 0o600 },
            nlink: 1,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            size: self.disk.size(),
            blocks: self.disk.size() / 512,
            atime: self.times,
            mtime: self.times,
            ctime: self.times,
            btime: self.times,
            acl: None,
        })
    }

    /// O_TRUNC changes nothing, as of a block device; owner, mode and times stay.
    fn set_attr(&mut self, _ino: Ino, change: &SetAttr, _now: Time) -> Result<()> {
        let truncated = SetAttr { size: Some(0), ..SetAttr::default() };
        if *change == truncated || change.size == Some(self.disk.size()) { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn lookup(&self, _dir: Ino, _name: &[u8]) -> Result<Ino> {
        Err(Errno::ENOTDIR)
    }

    fn parent(&self, _dir: Ino) -> Result<Ino> {
        Err(Errno::ENOTDIR)
    }

    fn name_of(&self, _dir: Ino) -> Result<Vec<u8>> {
        Err(Errno::ENOTDIR)
    }

    fn create(&mut self, _dir: Ino, _name: NewName<'_>, _node: &NewNode, _now: Time) -> Result<Ino> {
        Err(Errno::ENOTDIR)
    }

    fn refusal(&self) -> Errno {
        Errno::ENOTDIR
    }

    fn readlink(&self, _ino: Ino) -> Result<Vec<u8>> {
        Err(Errno::EINVAL)
    }

    fn read(&self, _ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.disk.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = into.len().min(left);
        self.disk.read_at(&mut into[..len], offset)?;
        Ok(len)
    }

    fn write(&mut self, _ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        let room = usize::try_from(self.disk.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        if room == 0 && !bytes.is_empty() {
            return Err(Errno::ENOSPC);
        }
        let bytes = &bytes[..bytes.len().min(room)];
        self.disk.write_at(bytes, offset)?;
        self.times = now;
        Ok(bytes.len())
    }

    fn allocate(&mut self, _ino: Ino, _mode: u32, _offset: u64, _len: u64, _now: Time) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn seek(&self, _ino: Ino, offset: u64, data: bool) -> Result<u64> {
        crate::readonly::seek_without_holes(self.disk.size(), offset, data)
    }

    fn read_dir(&self, _dir: Ino, _after: u64, _each: EachName<'_>) -> Result<()> {
        Err(Errno::ENOTDIR)
    }

    fn hold(&mut self, _ino: Ino, _held: bool) {}

    fn statfs(&self) -> Result<Statfs> {
        Ok(Statfs {
            f_bsize: 4096,
            f_frsize: 4096,
            f_blocks: self.disk.size() / 4096,
            f_namelen: 255,
            ..Statfs::default()
        })
    }

    fn sync(&mut self, _ino: Option<Ino>) -> Result<()> {
        self.disk.sync()
    }

    fn unmount(&mut self) -> Result<()> {
        self.disk.sync()
    }
}
