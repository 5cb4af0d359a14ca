//! The bytes of a drive: a part of a file of the host.

use abi::Errno;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of the host, open and locked for as long as this lives.
#[derive(Debug)]
pub struct HostFile {
    file: File,
    /// By which name it was opened.
    pub path: PathBuf,
    /// It cannot be written, or was not to be.
    pub read_only: bool,
}

/// Why a host file cannot be a drive.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The host's answer.
    #[error("{}: {}", .0.display(), .1)]
    Host(PathBuf, io::Error),
    /// Another process has it.
    #[error("{}: in use by another process (it holds a lock on the file); end that first, or open the image read-only in both", .0.display())]
    InUse(PathBuf),
}

impl HostFile {
    /// Opens a file for reading and writing, making it if `create`; for reading only where it cannot be written or `read_only`.
    ///
    /// # Errors
    /// The host's; [`HostError::InUse`]: another process has it, or (for reading only) writes to it.
    pub fn open(path: &Path, read_only: bool, create: bool) -> Result<Self, HostError> {
        let host = |error| HostError::Host(path.to_owned(), error);
        let both =
            File::options().read(true).write(true).create(create && !read_only).truncate(false).open(path);
        let (file, read_only) = match both {
            _ if read_only => (File::open(path).map_err(host)?, true),
            Ok(file) => (file, false),
            // No permission to write, a read-only file system, a program that runs.
            Err(error) if matches!(error.raw_os_error(), Some(13 | 26 | 30)) => {
                (File::open(path).map_err(host)?, true)
            }
            Err(error) => return Err(host(error)),
        };
        let lock = if read_only {
            FlockOperation::NonBlockingLockShared
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        match locked(&file, lock) {
            Ok(()) => Ok(Self { file, path: path.to_owned(), read_only }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(HostError::InUse(path.to_owned())),
            Err(errno) => Err(host(errno.into())),
        }
    }

    /// Bytes of the file or the block device.
    ///
    /// # Errors
    /// The host's.
    pub fn size(&self) -> io::Result<u64> {
        use std::io::Seek;
        (&self.file).seek(io::SeekFrom::End(0))
    }

    /// Makes the file at least this long.
    ///
    /// # Errors
    /// The host's.
    pub fn extend(&self, size: u64) -> io::Result<()> {
        if self.size()? < size { self.file.set_len(size) } else { Ok(()) }
    }

    /// Device and inode number: the same file has the same.
    ///
    /// # Errors
    /// The host's.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        let metadata = self.file.metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

/// Locks a file; one that another process is about to let go (its server ends) is waited for.
fn locked(file: &File, lock: FlockOperation) -> Result<(), rustix::io::Errno> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        match rustix::fs::flock(file, lock) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(std::time::Duration::from_millis(50)),
            outcome => return outcome,
        }
    }
    rustix::fs::flock(file, lock)
}

/// A part of a host file.
#[derive(Debug, Clone)]
pub struct Disk {
    file: Arc<HostFile>,
    start: u64,
    size: u64,
}

impl Disk {
    /// `size` bytes of the file from `start` on.
    #[must_use]
    pub const fn new(file: Arc<HostFile>, start: u64, size: u64) -> Self {
        Self { file, start, size }
    }

    /// A part of it. What reaches over its end cannot be read.
    #[must_use]
    pub fn part(&self, start: u64, size: u64) -> Self {
        let room = self.size.saturating_sub(start);
        Self { file: Arc::clone(&self.file), start: self.start.saturating_add(start), size: size.min(room) }
    }

    /// It as a stream of bytes.
    #[must_use]
    pub const fn stream(self) -> DiskStream {
        DiskStream { disk: self, at: 0 }
    }

    /// Bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether it can only be read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.file.read_only
    }

    /// Fills all of `into`.
    ///
    /// # Errors
    /// `EIO`: behind the end; the host's.
    pub fn read_at(&self, into: &mut [u8], offset: u64) -> Result<(), Errno> {
        let at = self.place(offset, into.len())?;
        self.file.file.read_exact_at(into, at).map_err(|error| errno(&error))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `EIO`: behind the end; `ENOSPC`, `EROFS`; the host's.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), Errno> {
        if self.file.read_only {
            return Err(Errno::EROFS);
        }
        let at = self.place(offset, bytes.len())?;
        self.file.file.write_all_at(bytes, at).map_err(|error| errno(&error))
    }

    /// What was written outlives a crash of the host.
    ///
    /// # Errors
    /// `EIO`; the host's.
    pub fn sync(&self) -> Result<(), Errno> {
        if self.file.read_only { Ok(()) } else { self.file.file.sync_data().map_err(|error| errno(&error)) }
    }

    fn place(&self, offset: u64, len: usize) -> Result<u64, Errno> {
        match offset.checked_add(len as u64) {
            Some(end) if end <= self.size => self.start.checked_add(offset).ok_or(Errno::EIO),
            _ => Err(Errno::EIO),
        }
    }
}

/// A disk, read and written from a position on.
#[derive(Debug)]
pub struct DiskStream {
    disk: Disk,
    at: u64,
}

impl DiskStream {
    fn room(&self, len: usize) -> usize {
        usize::try_from(self.disk.size.saturating_sub(self.at)).unwrap_or(usize::MAX).min(len)
    }

    fn moved(&mut self, outcome: Result<(), Errno>, len: usize) -> io::Result<usize> {
        outcome.map_err(|errno| io::Error::from_raw_os_error(errno.number()))?;
        self.at += len as u64;
        Ok(len)
    }
}

impl io::Read for DiskStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.room(into.len());
        let outcome = self.disk.read_at(&mut into[..len], self.at);
        self.moved(outcome, len)
    }
}

impl io::Write for DiskStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.room(bytes.len());
        let outcome = self.disk.write_at(&bytes[..len], self.at);
        self.moved(outcome, len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for DiskStream {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
            io::SeekFrom::End(by) => self.disk.size.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The host's error as the rump kernel's.
pub(crate) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_number)
}
