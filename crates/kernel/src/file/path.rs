//! What O_PATH opens: a place in the tree, nothing to read or write (open(2)).

use super::{File, FileKind};
use crate::Kernel;
use abi::raw::general::POLLNVAL;
use vfs::Location;

/// A place in the tree.
pub(crate) struct PathOnly {
    pub(crate) at: Location,
}

impl File for PathOnly {
    fn kind(&self) -> FileKind {
        FileKind::Path
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn poll(&self, _k: &Kernel) -> u16 {
        u16::try_from(POLLNVAL).unwrap_or(u16::MAX)
    }
}
