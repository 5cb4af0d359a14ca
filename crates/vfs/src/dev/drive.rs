//! Drives: devices whose bytes are kept by the host (rump_server(1), `-d`).
//!
//! A drive is the one file of a file system of its own, which a worker has like those of images; nothing of it is kept here, since
//! the file system on a drive goes past the device.

use super::makedev;
use crate::fs::FileSystem;
use crate::mount::Vfs;
use crate::node::{Kind, NewName, NewNode, Time};
use crate::permission::Who;
use crate::remote::{Mounted, Remote, SharedExchange, Worker};
use crate::{Follow, MountFlags, Start};
use abi::Errno;
use std::rc::Rc;

/// The inode of a drive in its file system.
pub const DRIVE: crate::Ino = 1;
/// `LOCAL/EXPERIMENTAL USE` of Linux's devices.txt, for block devices and for character devices.
pub const DRIVE_MAJOR: u32 = 240;

/// A drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveInfo {
    /// Its number, which is its worker's.
    pub number: Worker,
    /// What it appears as: a block device, a character device or a regular file.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Only read from.
    pub read_only: bool,
    /// Where it is in the tree.
    pub path: Vec<u8>,
    /// Whose it is.
    pub owner: (u32, u32),
}

impl DriveInfo {
    /// Major and minor number of its device.
    #[must_use]
    pub const fn device(&self) -> (u32, u32) {
        (DRIVE_MAJOR, self.number)
    }

    fn rdev(&self) -> u64 {
        makedev(DRIVE_MAJOR.into(), self.number.into())
    }
}

pub(crate) struct Drive {
    pub(crate) fs: Remote,
    pub(crate) info: DriveInfo,
}

impl Vfs {
    /// Enters a drive under its path; the directories above are made.
    ///
    /// # Errors
    /// `EEXIST`: there is something; `ENOSPC`, `ENOTDIR`; `EINVAL`: no such kind.
    pub fn add_drive(&mut self, info: DriveInfo, exchange: &SharedExchange, now: Time) -> Result<(), Errno> {
        let root = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };
        let start = Start { root: self.root(), dir: self.root() };
        self.make_directories(&root, start, &info.path, now)?;
        let rdev = info.rdev();
        let (dir, name) = self.name_in_directory(&root, start, &info.path)?;
        let (uid, gid) = info.owner;
        let mode = if info.read_only { 0o400 } else { 0o600 };
        let node = NewNode { kind: info.kind, mode, uid, gid, rdev, target: Vec::new() };
        self.fs_mut(dir)?.create(dir.ino, NewName::Named(&name), &node, now)?;
        let fs = Remote::new(Rc::clone(exchange), &mounted(info.number));
        match info.kind {
            Kind::Block | Kind::Char => {
                self.drives.insert(rdev, Drive { fs, info });
                Ok(())
            }
            Kind::Regular => self.show_as_file(&root, start, fs, &info),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The drive with this device number.
    #[must_use]
    pub fn drive(&self, rdev: u64) -> Option<&DriveInfo> {
        self.drives.get(&rdev).map(|drive| &drive.info)
    }

    /// The device with this number.
    #[must_use]
    pub fn drive_numbered(&self, number: Worker) -> Option<&DriveInfo> {
        self.drives.values().map(|drive| &drive.info).find(|info| info.number == number)
    }

    /// Whether a file system of this drive is mounted.
    #[must_use]
    pub fn is_mounted_from(&self, number: Worker) -> bool {
        self.systems.values().any(|system| system.fs.drive() == Some(number))
    }

    /// The block device that was entered under this path.
    #[must_use]
    pub fn drive_at(&self, path: &[u8]) -> Option<&DriveInfo> {
        self.drives
            .values()
            .map(|drive| &drive.info)
            .find(|info| info.path == path && info.kind == Kind::Block)
    }

    /// What was written to a drive is to outlive a crash of the host.
    ///
    /// # Errors
    /// `EIO`, `ENXIO`.
    pub fn sync_drive(&mut self, rdev: u64) -> Result<(), Errno> {
        self.drives.get_mut(&rdev).ok_or(Errno::ENXIO)?.fs.sync(Some(DRIVE))
    }

    pub(crate) fn read_drive(&self, rdev: u64, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        self.drives.get(&rdev).ok_or(Errno::ENXIO)?.fs.read(DRIVE, offset, into)
    }

    /// A drive does not grow: behind its end is `ENOSPC`.
    pub(crate) fn write_drive(
        &mut self,
        rdev: u64,
        offset: u64,
        bytes: &[u8],
        now: Time,
    ) -> Result<usize, Errno> {
        let drive = self.drives.get_mut(&rdev).ok_or(Errno::ENXIO)?;
        let room = usize::try_from(drive.info.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        if room == 0 {
            return Err(Errno::ENOSPC);
        }
        drive.fs.write(DRIVE, offset, &bytes[..bytes.len().min(room)], now)
    }

    /// A regular file is shown by a mount of its own, as a bind mount of one file is.
    fn show_as_file(
        &mut self,
        root: &Who<'_>,
        start: Start,
        fs: Remote,
        info: &DriveInfo,
    ) -> Result<(), Errno> {
        let on = self.lookup(root, start, &info.path, Follow::No)?;
        let read_only = if info.read_only { abi::raw::general::MS_RDONLY } else { 0 };
        self.mount_on(Box::new(fs), on, "drive", MountFlags::new(read_only))?;
        Ok(())
    }

    fn make_directories(
        &mut self,
        root: &Who<'_>,
        start: Start,
        path: &[u8],
        now: Time,
    ) -> Result<(), Errno> {
        let ends = path.iter().enumerate().filter(|(at, byte)| *at > 0 && **byte == b'/').map(|(at, _)| at);
        for end in ends.collect::<Vec<_>>() {
            match self.mkdir(root, start, &path[..end], 0o755, now) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn name_in_directory(
        &self,
        root: &Who<'_>,
        start: Start,
        path: &[u8],
    ) -> Result<(crate::Location, Vec<u8>), Errno> {
        let cut = path.iter().rposition(|byte| *byte == b'/').ok_or(Errno::EINVAL)?;
        let (dir, name) = (&path[..=cut], &path[cut + 1..]);
        if name.is_empty() || name == b"." || name == b".." {
            return Err(Errno::EINVAL);
        }
        Ok((self.lookup(root, start, dir, Follow::Yes)?, name.to_vec()))
    }
}

/// Its file system: one file.
fn mounted(worker: Worker) -> Mounted {
    Mounted {
        worker,
        drive: None,
        name: "drive",
        root: DRIVE,
        acls: false,
        behind: false,
        keeps_nodes: true,
        exact: true,
        keeps_pages: false,
        size_max: i64::MAX.cast_unsigned(),
        identity: None,
        options: String::new(),
    }
}
