//! File systems that are never changed: what they have in common.

mod names;

pub(crate) use names::{Named, Names};

use abi::Errno;
use abi::layout::Statfs;
use vfs::{Attr, EachName, FileSystem, Ino, NewName, NewNode, SetAttr, Time};

type Result<T> = std::result::Result<T, Errno>;

/// What such a file system has to tell, as [`FileSystem`] does.
pub(crate) trait Tree {
    /// Its name in /proc/mounts.
    fn name(&self) -> &'static str;

    /// Its root directory.
    fn root(&self) -> Ino;

    /// As [`FileSystem::attr`].
    ///
    /// # Errors
    /// `ESTALE`.
    fn attr(&self, ino: Ino) -> Result<Attr>;

    /// As [`FileSystem::lookup`].
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino>;

    /// As [`FileSystem::parent`].
    ///
    /// # Errors
    /// `ENOTDIR`.
    fn parent(&self, dir: Ino) -> Result<Ino>;

    /// As [`FileSystem::name_of`].
    ///
    /// # Errors
    /// `ENOENT`.
    fn name_of(&self, dir: Ino) -> Result<Vec<u8>>;

    /// As [`FileSystem::read_dir`].
    ///
    /// # Errors
    /// `ENOTDIR`.
    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()>;

    /// As [`FileSystem::readlink`].
    ///
    /// # Errors
    /// `EINVAL`.
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>>;

    /// As [`FileSystem::read`].
    ///
    /// # Errors
    /// `EIO`.
    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// As [`FileSystem::statfs`].
    fn statfs(&self) -> Statfs;

    /// As [`FileSystem::identity`]; the numbers of inodes must follow from the image.
    fn identity(&self) -> Option<u64> {
        None
    }

    /// As [`FileSystem::find`].
    ///
    /// # Errors
    /// `ESTALE`.
    fn find(&self, ino: Ino) -> Result<()> {
        self.attr(ino).map(drop).map_err(|_| Errno::ESTALE)
    }
}

/// A file system that is never changed.
pub(crate) struct ReadOnly<T>(pub(crate) T);

impl<T: Tree> FileSystem for ReadOnly<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn root(&self) -> Ino {
        self.0.root()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        self.0.attr(ino)
    }

    fn set_attr(&mut self, _ino: Ino, _change: &SetAttr, _now: Time) -> Result<()> {
        Err(Errno::EROFS)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.0.lookup(dir, name)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        self.0.parent(dir)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        self.0.name_of(dir)
    }

    fn create(&mut self, _dir: Ino, _name: NewName<'_>, _node: &NewNode, _now: Time) -> Result<Ino> {
        Err(Errno::EROFS)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.0.readlink(ino)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.0.read(ino, offset, into)
    }

    fn write(&mut self, _ino: Ino, _offset: u64, _bytes: &[u8], _now: Time) -> Result<usize> {
        Err(Errno::EROFS)
    }

    fn allocate(&mut self, _ino: Ino, _mode: u32, _offset: u64, _len: u64, _now: Time) -> Result<()> {
        Err(Errno::EROFS)
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        seek_without_holes(self.0.attr(ino)?.size, offset, data)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.0.read_dir(dir, after, each)
    }

    fn set_xattr(&mut self, _ino: Ino, _name: &[u8], _value: Option<&[u8]>, _now: Time) -> Result<()> {
        Err(Errno::EROFS)
    }

    fn hold(&mut self, _ino: Ino, _held: bool) {}

    fn identity(&self) -> Option<u64> {
        self.0.identity()
    }

    fn find(&self, ino: Ino) -> Result<()> {
        self.0.find(ino)
    }

    fn statfs(&self) -> Result<Statfs> {
        Ok(self.0.statfs())
    }

    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        match (options, read_only) {
            (b"", true) => Ok(()),
            (b"", false) => Err(Errno::EROFS),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// [`FileSystem::seek`] of a file whose bytes are all data: a hole is at its end only (lseek(2)).
///
/// # Errors
/// `ENXIO`: behind the end.
pub(crate) const fn seek_without_holes(size: u64, offset: u64, data: bool) -> Result<u64> {
    match data {
        _ if offset >= size => Err(Errno::ENXIO),
        true => Ok(offset),
        false => Ok(size),
    }
}
