//! What inotify_init(2) answers.

use super::{At, File, FileKind, ObjectId, OpenFile};
use crate::Kernel;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::layout::Stat;
use abi::raw::general::POLLIN;
use abi::raw::ioctl::FIONREAD;

/// An instance, by what changes with its readiness.
pub(crate) struct InotifyFile(pub(crate) ObjectId);

impl File for InotifyFile {
    fn kind(&self) -> FileKind {
        FileKind::Anonymous
    }

    fn read(&self, k: &mut Kernel, _f: &OpenFile, buf: &mut [u8], _at: At) -> Result<usize, Stop> {
        Ok(k.inotify.read(self.0, buf)?)
    }

    fn write(&self, _k: &mut Kernel, _f: &OpenFile, _data: &[u8], _at: At) -> Result<usize, Stop> {
        Err(Errno::EBADF.into())
    }

    fn poll(&self, k: &Kernel) -> u16 {
        if k.inotify.waiting(self.0) > 0 { POLLIN as u16 } else { 0 }
    }

    fn ioctl(&self, cx: &mut Cx<'_>, _f: &OpenFile, cmd: u32) -> Answer {
        if cmd != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let waiting = i32::try_from(cx.kernel.inotify.waiting(self.0)).unwrap_or(i32::MAX);
        cx.put(cx.arg(2), &waiting);
        Ok(0)
    }

    fn inotify(&self) -> Option<ObjectId> {
        Some(self.0)
    }

    fn stat(&self, _k: &mut Kernel, f: &OpenFile) -> Result<Stat, Stop> {
        Ok(Stat { st_ino: f.inode.get(), st_mode: 0o600, st_nlink: 1, st_blksize: 4096, ..Stat::default() })
    }

    fn close(&self, k: &mut Kernel) {
        k.end_inotify(self.0);
    }
}
