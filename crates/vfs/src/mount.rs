//! The mounts, and places in them.

use crate::dev::Devices;
use crate::fs::FileSystem;
use crate::node::{Attr, Ino};
use crate::tmpfs::Tmpfs;
use abi::Errno;

/// An inode of a mount: what descriptors, working directories and roots refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    pub(crate) mount: u32,
    pub(crate) ino: Ino,
}

impl Location {
    /// A number that is this inode's alone in the kernel, for locks and fifos.
    #[must_use]
    pub const fn key(&self) -> (u32, u64) {
        (self.mount, self.ino)
    }
}

struct Mount {
    fs: Box<dyn FileSystem>,
    /// The directory it covers; the root file system's is its own root.
    covers: Location,
    source: String,
    path: String,
}

/// The file tree of a kernel.
pub struct Vfs {
    mounts: Vec<Mount>,
    pub(crate) devices: Devices,
}

impl Vfs {
    /// A tree whose root is this tmpfs, with the directories that programs expect and the devices in /dev.
    ///
    /// # Errors
    /// `ENOSPC`: the tmpfs is too small for them.
    pub fn new(root: Tmpfs, seed: u64, now: crate::Time) -> Result<Self, Errno> {
        let at = Location { mount: 0, ino: root.root() };
        let mount = Mount { fs: Box::new(root), covers: at, source: "rootfs".into(), path: "/".into() };
        let mut vfs = Self { mounts: vec![mount], devices: Devices::new(seed) };
        crate::dev::populate(&mut vfs, now)?;
        Ok(vfs)
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> Location {
        self.mounts
            .first()
            .map_or(Location { mount: 0, ino: 1 }, |mount| Location { mount: 0, ino: mount.fs.root() })
    }

    pub(crate) fn fs(&self, at: Location) -> Result<&dyn FileSystem, Errno> {
        self.mounts.get(at.mount as usize).map(|mount| &*mount.fs).ok_or(Errno::ESTALE)
    }

    pub(crate) fn fs_mut(&mut self, at: Location) -> Result<&mut (dyn FileSystem + 'static), Errno> {
        self.mounts.get_mut(at.mount as usize).map(|mount| &mut *mount.fs).ok_or(Errno::ESTALE)
    }

    /// What is known of an inode.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn attr(&self, at: Location) -> Result<Attr, Errno> {
        self.fs(at)?.attr(at.ino)
    }

    /// The device number of the file system (`st_dev`).
    #[must_use]
    pub fn dev(&self, at: Location) -> u64 {
        // Minor numbers from 1 on under major 0, as Linux numbers file systems without a device.
        u64::from(at.mount) + 1
    }

    /// What lies on top of this directory: itself, unless something is mounted there.
    pub(crate) fn covered(&self, at: Location) -> Location {
        let mount = self.mounts.iter().enumerate().skip(1).rev().find(|(_, mount)| mount.covers == at);
        mount
            .and_then(|(index, mount)| {
                Some(Location { mount: u32::try_from(index).ok()?, ino: mount.fs.root() })
            })
            .unwrap_or(at)
    }

    /// Where one comes out above the root of a mount.
    pub(crate) fn below_mount(&self, at: Location) -> Option<Location> {
        let mount = self.mounts.get(at.mount as usize)?;
        (at.mount != 0 && mount.fs.root() == at.ino).then_some(mount.covers)
    }

    /// Whether something is mounted on this directory, or it is a mount's root.
    pub(crate) fn is_mount_point(&self, at: Location) -> bool {
        let root = self.mounts.get(at.mount as usize).is_some_and(|mount| mount.fs.root() == at.ino);
        root || self.covered(at) != at
    }

    /// One more (`held`) or one less holder of an inode: it lives while it is held.
    pub fn hold(&mut self, at: Location, held: bool) {
        if let Ok(fs) = self.fs_mut(at) {
            fs.hold(at.ino, held);
        }
    }

    /// One line per mount: source, directory, type, options, parted by tabs.
    #[must_use]
    pub fn mounts(&self) -> String {
        self.mounts
            .iter()
            .map(|mount| format!("{}\t{}\t{}\trw\n", mount.source, mount.path, mount.fs.name()))
            .collect()
    }
}
