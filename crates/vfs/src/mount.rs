//! The mounts, and places in them.

use crate::dev::Devices;
use crate::fs::FileSystem;
use crate::node::{Attr, Ino, Kind};
use crate::tmpfs::Tmpfs;
use abi::Errno;
use std::collections::{BTreeMap, HashMap};

/// The root file system's mount.
const ROOT_MOUNT: u32 = 0;

/// An inode of a mount: what descriptors, working directories and roots refer to. It keeps nothing alive by itself, see
/// [`Vfs::hold`]; numbers are never used twice, so one that was not held answers `ESTALE` when its inode has gone.
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

pub(crate) struct Mount {
    pub(crate) fs: Box<dyn FileSystem>,
    /// The directory it covers; the root file system's is its own root.
    pub(crate) covers: Location,
    pub(crate) source: String,
}

/// The file tree of a kernel.
pub struct Vfs {
    pub(crate) mounts: BTreeMap<u32, Mount>,
    /// The mount on top of a directory.
    on_top: HashMap<Location, u32>,
    last_mount: u32,
    pub(crate) devices: Devices,
}

impl Vfs {
    /// A tree whose root is this tmpfs, with the directories that programs expect and the devices in /dev. `seed` is random bytes
    /// from the host: what /dev/random gives follows from it.
    ///
    /// # Errors
    /// `ENOSPC`: the tmpfs is too small for them.
    pub fn new(root: Tmpfs, seed: [u8; 32], now: crate::Time) -> Result<Self, Errno> {
        let at = Location { mount: ROOT_MOUNT, ino: root.root() };
        let mount = Mount { fs: Box::new(root), covers: at, source: "rootfs".into() };
        let mut vfs = Self {
            mounts: BTreeMap::from([(ROOT_MOUNT, mount)]),
            on_top: HashMap::new(),
            last_mount: ROOT_MOUNT,
            devices: Devices::new(seed),
        };
        crate::dev::populate(&mut vfs, now)?;
        Ok(vfs)
    }

    /// Mounts a file system on a directory, on top of what may be mounted there already. That the caller may is the caller's check
    /// (CAP_SYS_ADMIN). Answers the root of the mount.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT`: the directory was removed; `ENOMEM`: no more mount numbers.
    pub fn mount(&mut self, fs: Box<dyn FileSystem>, on: Location, source: &str) -> Result<Location, Errno> {
        let covers = self.covered(on);
        let attr = self.attr(covers)?;
        match attr.kind {
            Kind::Directory if attr.nlink > 0 => {}
            Kind::Directory => return Err(Errno::ENOENT),
            _ => return Err(Errno::ENOTDIR),
        }
        let number = self.last_mount.checked_add(1).ok_or(Errno::ENOMEM)?;
        self.last_mount = number;
        self.hold(covers, true);
        let root = Location { mount: number, ino: fs.root() };
        self.on_top.insert(covers, number);
        self.mounts.insert(number, Mount { fs, covers, source: source.to_owned() });
        Ok(root)
    }

    /// Takes a mount away (umount(2)).
    ///
    /// # Errors
    /// `EINVAL`: not the root of a mount; `EBUSY`: the root file system, or something in it is open or mounted on.
    pub fn umount(&mut self, root: Location) -> Result<(), Errno> {
        let mount = self.mounts.get(&root.mount).ok_or(Errno::EINVAL)?;
        if mount.fs.root() != root.ino {
            return Err(Errno::EINVAL);
        }
        // A mount holds the directory that it covers, so those below are seen too.
        if root.mount == ROOT_MOUNT || mount.fs.is_busy() {
            return Err(Errno::EBUSY);
        }
        let covers = mount.covers;
        self.mounts.remove(&root.mount);
        self.on_top.remove(&covers);
        self.hold(covers, false);
        Ok(())
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> Location {
        let ino = self.mounts.get(&ROOT_MOUNT).map_or(1, |mount| mount.fs.root());
        self.covered(Location { mount: ROOT_MOUNT, ino })
    }

    pub(crate) fn fs(&self, at: Location) -> Result<&dyn FileSystem, Errno> {
        self.mounts.get(&at.mount).map(|mount| &*mount.fs).ok_or(Errno::ESTALE)
    }

    pub(crate) fn fs_mut(&mut self, at: Location) -> Result<&mut (dyn FileSystem + 'static), Errno> {
        self.mounts.get_mut(&at.mount).map(|mount| &mut *mount.fs).ok_or(Errno::ESTALE)
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
        let minor = u64::from(at.mount) + 1;
        (minor & 0xff) | (minor & !0xff) << 12
    }

    /// What lies on top of this directory: itself, unless something is mounted there.
    pub(crate) fn covered(&self, at: Location) -> Location {
        let mut at = at;
        while let Some((mount, above)) =
            self.on_top.get(&at).and_then(|number| self.mounts.get_key_value(number))
        {
            at = Location { mount: *mount, ino: above.fs.root() };
        }
        at
    }

    /// The directory that this one covers, if it is the root of a mount, and of the mounts below that, if it is covered as well.
    pub(crate) fn below_mount(&self, at: Location) -> Option<Location> {
        let mut below = None;
        let mut at = at;
        while let Some(mount) = self.mounts.get(&at.mount)
            && at.mount != ROOT_MOUNT
            && mount.fs.root() == at.ino
        {
            at = mount.covers;
            below = Some(at);
        }
        below
    }

    /// Whether something is mounted on this directory, or it is a mount's root.
    pub(crate) fn is_mount_point(&self, at: Location) -> bool {
        let root = self.mounts.get(&at.mount).is_some_and(|mount| mount.fs.root() == at.ino);
        root || self.on_top.contains_key(&at)
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
        let line = |mount: &Mount| {
            let path = self.path_of(self.root(), mount.covers).unwrap_or_else(|_| b"/".to_vec());
            format!("{}\t{}\t{}\trw\n", mount.source, String::from_utf8_lossy(&path), mount.fs.name())
        };
        self.mounts.values().map(line).collect()
    }
}
