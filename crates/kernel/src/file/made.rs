//! Files whose bytes were made when they were opened (proc(5)).

use super::{At, File, FileKind, OpenFile};
use crate::Kernel;
use crate::call::Stop;
use abi::Errno;
use vfs::Location;

/// An open file with what it held then.
pub(crate) struct Made {
    pub(crate) at: Location,
    pub(crate) bytes: Vec<u8>,
}

impl File for Made {
    fn kind(&self) -> FileKind {
        FileKind::Regular
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn read(&self, _k: &mut Kernel, f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        f.check_reads()?;
        Ok(read(&self.bytes, f, buf, at))
    }

    fn write(&self, _k: &mut Kernel, f: &OpenFile, _data: &[u8], _at: At) -> Result<usize, Stop> {
        f.check_writes()?;
        Err(Errno::EIO.into())
    }

    fn sync(&self, _k: &mut Kernel) -> Result<(), Stop> {
        Ok(())
    }
}

/// Moves out of `bytes` what a transfer at this place gets.
pub(crate) fn read(bytes: &[u8], f: &OpenFile, buf: &mut [u8], at: At) -> usize {
    let offset = f.start(at);
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
    let moved = rest.len().min(buf.len());
    buf[..moved].copy_from_slice(&rest[..moved]);
    f.move_on(at, offset, moved);
    moved
}

/// The offset at which a transfer starts.
pub(crate) fn start(f: &OpenFile, at: At) -> u64 {
    f.start(at)
}

/// Moves the position behind what was transferred.
pub(crate) fn moved(f: &OpenFile, at: At, moved: usize) {
    f.move_on(at, f.start(at), moved);
}
