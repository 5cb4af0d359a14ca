//! Character devices. What they do is the file tree's.

use super::{At, File, FileKind, OpenFile};
use crate::Kernel;
use crate::call::Stop;
use vfs::Location;

/// An open device.
pub(crate) struct Device {
    pub(crate) at: Location,
}

impl File for Device {
    fn kind(&self) -> FileKind {
        FileKind::Device
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn read(&self, k: &mut Kernel, f: &OpenFile, buf: &mut [u8], _at: At) -> Result<usize, Stop> {
        f.check_reads()?;
        Ok(k.fs.vfs.read(self.at, 0, buf, None)?)
    }

    fn write(&self, k: &mut Kernel, f: &OpenFile, data: &[u8], _at: At) -> Result<usize, Stop> {
        f.check_writes()?;
        let tree = k.tree()?;
        Ok(tree.vfs.write(&tree.who, self.at, 0, data, tree.now)?)
    }
}
