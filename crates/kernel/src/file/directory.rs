//! Directories: getdents(2) reads them, read(2) does not.

use super::{At, File, FileKind, OpenFile};
use crate::Kernel;
use crate::call::Stop;
use abi::Errno;
use vfs::Location;

/// An open directory. Its position is the cookie of the entry that was read last.
pub(crate) struct Directory {
    pub(crate) at: Location,
}

impl File for Directory {
    fn kind(&self) -> FileKind {
        FileKind::Directory
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn read(&self, _k: &mut Kernel, _f: &OpenFile, _buf: &mut [u8], _at: At) -> Result<usize, Stop> {
        Err(Errno::EISDIR.into())
    }

    fn write(&self, _k: &mut Kernel, _f: &OpenFile, _data: &[u8], _at: At) -> Result<usize, Stop> {
        Err(Errno::EBADF.into())
    }

    fn sync(&self, k: &mut Kernel) -> Result<(), Stop> {
        Ok(k.fs.vfs.sync(self.at)?)
    }
}
