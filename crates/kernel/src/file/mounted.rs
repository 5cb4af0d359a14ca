//! The root of a mount that fsmount(2) has made or open_tree(2) has copied: a place as O_PATH opens one, and what keeps the mount while
//! it is nowhere in the tree.

use super::path::PathOnly;
use super::{File, FileKind};
use crate::Kernel;
use vfs::Location;

pub(crate) struct Mounted(PathOnly);

impl Mounted {
    /// The root, which is held for it.
    pub(crate) const fn new(root: Location) -> Self {
        Self(PathOnly { at: root })
    }
}

impl File for Mounted {
    fn kind(&self) -> FileKind {
        self.0.kind()
    }

    fn location(&self) -> Option<Location> {
        self.0.location()
    }

    fn poll(&self, k: &Kernel) -> u16 {
        self.0.poll(k)
    }

    fn close(&self, k: &mut Kernel) {
        k.fs.vfs.dissolve(self.0.at);
    }
}
