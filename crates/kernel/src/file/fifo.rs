//! FIFOs: a pipe behind a name (fifo(7)).

use super::pipe::PipeEnd;
use super::{At, File, FileKind, OpenFile};
use crate::Kernel;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use vfs::Location;

/// An end of the pipe behind an inode.
pub(crate) struct Fifo {
    pub(crate) at: Location,
    pub(crate) end: PipeEnd,
}

impl File for Fifo {
    fn kind(&self) -> FileKind {
        FileKind::Pipe
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn read(&self, k: &mut Kernel, f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        self.end.read(k, f, buf, at)
    }

    fn write(&self, k: &mut Kernel, f: &OpenFile, data: &[u8], at: At) -> Result<usize, Stop> {
        self.end.write(k, f, data, at)
    }

    fn poll(&self, k: &Kernel) -> u16 {
        self.end.poll(k)
    }

    fn ioctl(&self, cx: &mut Cx<'_>, f: &OpenFile, cmd: u32) -> Answer {
        self.end.ioctl(cx, f, cmd)
    }

    fn pipe(&self) -> Option<&PipeEnd> {
        Some(&self.end)
    }

    fn close(&self, k: &mut Kernel) {
        self.end.close(k);
    }
}
