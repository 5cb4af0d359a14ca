//! Drives: block devices, and character devices with the same bytes (rump_server(1), `-d`).

use super::{At, File, FileKind, OpenFile};
use crate::Kernel;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use vfs::Location;

/// linux/fs.h
pub(crate) const BLKROGET: u32 = 0x125e;
const BLKGETSIZE: u32 = 0x1260;
const BLKFLSBUF: u32 = 0x1261;
const BLKSSZGET: u32 = 0x1268;
const BLKBSZGET: u32 = 0x8008_1270;
const BLKGETSIZE64: u32 = 0x8008_1272;
const BLKIOMIN: u32 = 0x1278;
const BLKIOOPT: u32 = 0x1279;
const BLKALIGNOFF: u32 = 0x127a;
const BLKPBSZGET: u32 = 0x127b;

const SECTOR: u32 = 512;
/// What the host's page cache reads and writes at once.
const BLOCK: u32 = 4096;

/// An open drive.
pub(crate) struct Drive {
    pub(crate) at: Location,
    pub(crate) rdev: u64,
    pub(crate) size: u64,
    pub(crate) read_only: bool,
}

impl File for Drive {
    /// Always ready, and epoll_ctl(2) refuses it, like a regular file.
    fn kind(&self) -> FileKind {
        FileKind::Regular
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn end(&self, _k: &mut Kernel) -> Result<u64, Stop> {
        Ok(self.size)
    }

    fn read(&self, k: &mut Kernel, f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        f.check_reads()?;
        let offset = f.start(at);
        let moved = k.fs.vfs.read(self.at, offset, buf, None)?;
        f.move_on(at, offset, moved);
        Ok(moved)
    }

    fn write(&self, k: &mut Kernel, f: &OpenFile, data: &[u8], at: At) -> Result<usize, Stop> {
        f.check_writes()?;
        let offset = f.start(at);
        let tree = k.tree()?;
        let moved = tree.vfs.write(&tree.who, self.at, offset, data, tree.now)?;
        f.move_on(at, offset, moved);
        Ok(moved)
    }

    fn sync(&self, k: &mut Kernel) -> Result<(), Stop> {
        Ok(k.fs.vfs.sync_drive(self.rdev)?)
    }

    fn ioctl(&self, cx: &mut Cx<'_>, _f: &OpenFile, cmd: u32) -> Answer {
        let at = cx.arg(2);
        match cmd {
            BLKGETSIZE64 => cx.put(at, &self.size),
            BLKGETSIZE => cx.put(at, &(self.size / u64::from(SECTOR))),
            BLKSSZGET => cx.put(at, &SECTOR.cast_signed()),
            BLKPBSZGET | BLKIOMIN => cx.put(at, &BLOCK),
            BLKBSZGET => cx.put(at, &BLOCK.cast_signed()),
            BLKIOOPT | BLKALIGNOFF => cx.put(at, &0u32),
            BLKROGET => cx.put(at, &i32::from(self.read_only)),
            BLKFLSBUF => cx.kernel.fs.vfs.sync_drive(self.rdev)?,
            _ => return Err(Errno::ENOTTY.into()),
        }
        Ok(0)
    }
}
