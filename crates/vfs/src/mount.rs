//! The mounts, and places in them.

use crate::dev::drive::Drive;
use crate::dev::{Devices, URANDOM, makedev};
use crate::fs::FileSystem;
use crate::mount_flags::MountFlags;
use crate::node::{Attr, Ino, Kind};
use crate::notify::Notices;
use crate::op::handle::Identity;
use crate::tmpfs::Tmpfs;
use abi::Errno;
use foldhash::{HashMap, HashMapExt};
use std::cell::Cell;
use std::collections::BTreeMap;

/// The mount that a kernel starts with, and its file system.
const FIRST_MOUNT: u32 = 0;
const FIRST_FS: u32 = 0;

/// An inode of a mount: what descriptors, working directories and roots refer to. It keeps nothing alive by itself, see
/// [`Vfs::hold`]; numbers are never used twice, so one that was not held answers `ESTALE` when its inode has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    pub(crate) mount: u32,
    /// The file system mounted there: two mounts may show the same one.
    pub(crate) fs: u32,
    pub(crate) ino: Ino,
}

impl Location {
    /// The inode's number in its file system.
    #[must_use]
    pub const fn ino(self) -> Ino {
        self.ino
    }

    /// A number that is this inode's alone in the kernel, whichever mount shows it, for locks and fifos.
    #[must_use]
    pub const fn key(&self) -> (u32, u64) {
        (self.fs, self.ino)
    }

    /// Whether both are of the same mount.
    #[must_use]
    pub const fn same_mount(&self, other: &Self) -> bool {
        self.mount == other.mount
    }

    /// Another inode of the same mount.
    pub(crate) const fn with(self, ino: Ino) -> Self {
        Self { ino, ..self }
    }
}

/// A file system with the mounts that show it.
pub(crate) struct Mounted {
    pub(crate) fs: Box<dyn FileSystem>,
    pub(crate) mounts: usize,
    /// Read-only through all of them.
    pub(crate) read_only: bool,
    /// What its file handles begin with.
    pub(crate) identity: Identity,
}

/// A name in a directory.
pub type Entry = (Location, Vec<u8>);

/// Where a path led: what is there, and by which name it was found.
#[derive(Debug, Clone)]
pub struct Point {
    /// What is there.
    pub at: Location,
    /// The directory and the name; none: the path ended in `/`, `.` or `..`.
    pub(crate) entry: Option<Entry>,
}

impl Point {
    /// A place that was found without a name.
    #[must_use]
    pub const fn of(at: Location) -> Self {
        Self { at, entry: None }
    }
}

pub(crate) struct Mount {
    /// Its root: a directory, or the file that is shown here (`MS_BIND`).
    pub(crate) root: Location,
    /// What it covers; that of the mount below all others is its own root.
    pub(crate) covers: Location,
    /// Where a file is shown, and what of: no other way leads from a file to its names.
    pub(crate) entries: Option<(Entry, Entry)>,
    pub(crate) source: String,
    pub(crate) flags: MountFlags,
    /// Open files, working directories and mounts in it.
    pub(crate) holders: u64,
    /// It was taken away while something in it was in use (`MNT_DETACH`).
    pub(crate) detached: bool,
    /// How often a path led into it or something in it was opened, wrapping, and how often that was when `MNT_EXPIRE` last asked.
    pub(crate) used: Cell<u32>,
    pub(crate) expiring: Option<u32>,
}

/// The file tree of a kernel.
pub struct Vfs {
    pub(crate) systems: BTreeMap<u32, Mounted>,
    pub(crate) mounts: BTreeMap<u32, Mount>,
    /// The mount on top of a directory.
    pub(crate) on_top: HashMap<Location, u32>,
    /// The mount below all others.
    pub(crate) bottom: u32,
    last_mount: u32,
    last_fs: u32,
    pub(crate) devices: Devices,
    /// Drives by device number.
    pub(crate) drives: BTreeMap<u64, Drive>,
    pub(crate) notices: Notices,
    /// What sticky directories keep people from.
    pub protected: crate::Protected,
    /// Makes file handles that nobody can guess.
    pub(crate) handle_key: [u8; 32],
    /// How many processes run the program in a file.
    pub(crate) running: HashMap<(u32, u64), u32>,
    /// What directories were called that were removed and are held still: as a working directory, say.
    pub(crate) removed: HashMap<(u32, u64), Entry>,
}

impl Vfs {
    /// A tree whose root is this tmpfs, with the directories that programs expect and the devices in /dev. `seed` is random bytes
    /// from the host: what /dev/random gives follows from it.
    ///
    /// # Errors
    /// `ENOSPC`: the tmpfs is too small for them.
    pub fn new(root: Tmpfs, seed: [u8; 32], now: crate::Time) -> Result<Self, Errno> {
        let at = Location { mount: FIRST_MOUNT, fs: FIRST_FS, ino: root.root() };
        let mut vfs = Self {
            systems: BTreeMap::new(),
            mounts: BTreeMap::new(),
            on_top: HashMap::new(),
            bottom: FIRST_MOUNT,
            last_mount: FIRST_MOUNT,
            last_fs: FIRST_FS,
            devices: Devices::new(seed),
            drives: BTreeMap::new(),
            notices: Notices::default(),
            protected: crate::Protected::default(),
            handle_key: [0; 32],
            running: HashMap::new(),
            removed: HashMap::new(),
        };
        vfs.devices.read(URANDOM, &mut vfs.handle_key)?;
        let identity = vfs.identify(&root)?;
        vfs.systems.insert(FIRST_FS, Mounted { fs: Box::new(root), mounts: 0, read_only: false, identity });
        vfs.enter_mount(at, at, "rootfs", MountFlags::default());
        crate::dev::populate(&mut vfs, now)?;
        Ok(vfs)
    }

    /// Mounts a file system on a directory, on top of what may be mounted there already. That the caller may is the caller's check
    /// (CAP_SYS_ADMIN). Answers the root of the mount.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT`: the directory was removed; `ENOMEM`: no more mount numbers.
    pub fn mount(
        &mut self,
        fs: Box<dyn FileSystem>,
        on: Location,
        source: &str,
        flags: MountFlags,
    ) -> Result<Location, Errno> {
        let covers = self.mountable(on)?;
        self.mount_on(fs, covers, source, flags)
    }

    /// As [`Vfs::mount`], on whatever this is.
    pub(crate) fn mount_on(
        &mut self,
        fs: Box<dyn FileSystem>,
        covers: Location,
        source: &str,
        flags: MountFlags,
    ) -> Result<Location, Errno> {
        let root = self.new_system(fs, flags)?;
        self.cover(covers, root.mount);
        self.enter_mount(root, covers, source, flags);
        Ok(root)
    }

    /// Numbers for a file system and its first mount; the latter is to be entered.
    pub(crate) fn new_system(
        &mut self,
        fs: Box<dyn FileSystem>,
        flags: MountFlags,
    ) -> Result<Location, Errno> {
        let mount = self.next_mount()?;
        let number = self.last_fs.checked_add(1).ok_or(Errno::ENOMEM)?;
        self.last_fs = number;
        let root = Location { mount, fs: number, ino: fs.root() };
        let identity = self.identify(&*fs)?;
        fs.places().into_iter().for_each(|place| self.hold(place, true));
        self.systems.insert(number, Mounted { fs, mounts: 0, read_only: flags.is_read_only(), identity });
        Ok(root)
    }

    /// The directory on which a mount at this place goes.
    pub(crate) fn mountable(&self, on: Location) -> Result<Location, Errno> {
        let covers = self.covered(on);
        let attr = self.attr(covers)?;
        match attr.kind {
            Kind::Directory if attr.nlink > 0 => Ok(covers),
            Kind::Directory => Err(Errno::ENOENT),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(crate) fn next_mount(&mut self) -> Result<u32, Errno> {
        self.last_mount = self.last_mount.checked_add(1).ok_or(Errno::ENOMEM)?;
        Ok(self.last_mount)
    }

    pub(crate) fn cover(&mut self, covers: Location, mount: u32) {
        self.hold(covers, true);
        self.on_top.insert(covers, mount);
    }

    pub(crate) fn enter_mount(&mut self, root: Location, covers: Location, source: &str, flags: MountFlags) {
        if let Some(system) = self.systems.get_mut(&root.fs) {
            system.mounts += 1;
            // What a second mount shows may be removed through the first.
            system.fs.hold(root.ino, true);
        }
        let mount = Mount {
            root,
            covers,
            entries: None,
            source: source.to_owned(),
            flags,
            holders: 0,
            detached: false,
            used: Cell::new(0),
            expiring: None,
        };
        self.mounts.insert(root.mount, mount);
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> Location {
        let root = self.mounts.get(&self.bottom).map(|mount| mount.root);
        self.covered(root.unwrap_or(Location { mount: FIRST_MOUNT, fs: FIRST_FS, ino: 1 }))
    }

    pub(crate) fn fs(&self, at: Location) -> Result<&dyn FileSystem, Errno> {
        self.systems.get(&at.fs).map(|system| &*system.fs).ok_or(Errno::ESTALE)
    }

    pub(crate) fn fs_mut(&mut self, at: Location) -> Result<&mut (dyn FileSystem + 'static), Errno> {
        self.systems.get_mut(&at.fs).map(|system| &mut *system.fs).ok_or(Errno::ESTALE)
    }

    /// The flags of the mount that a place is in.
    #[must_use]
    pub fn flags(&self, at: Location) -> MountFlags {
        self.mounts.get(&at.mount).map(|mount| mount.flags).unwrap_or_default()
    }

    /// # Errors
    /// `EROFS`: nothing may be changed here.
    pub(crate) fn writable(&self, at: Location) -> Result<(), Errno> {
        let read_only = self.systems.get(&at.fs).is_some_and(|system| system.read_only);
        if read_only || self.flags(at).is_read_only() { Err(Errno::EROFS) } else { Ok(()) }
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
        makedev(0, u64::from(at.fs) + 1)
    }

    /// What lies on top of this directory: itself, unless something is mounted there.
    pub(crate) fn covered(&self, at: Location) -> Location {
        let mut at = at;
        while let Some(above) = self.on_top.get(&at).and_then(|number| self.mounts.get(number)) {
            at = above.root;
        }
        at
    }

    /// The directory that this one covers, if it is the root of a mount, and of the mounts below that, if it is covered as well.
    pub(crate) fn below_mount(&self, at: Location) -> Option<Location> {
        let mut below = None;
        let mut at = at;
        while let Some(mount) = self.mounts.get(&at.mount)
            && at.mount != self.bottom
            && mount.root == at
            && !mount.detached
        {
            at = mount.covers;
            below = Some(at);
        }
        below
    }

    /// The directory below all that is mounted on it, of a mount's root.
    #[must_use]
    pub fn covered_by(&self, root: Location) -> Option<Location> {
        self.below_mount(root)
    }

    /// Whether something is mounted here, or it is a mount's root.
    pub(crate) fn is_mount_point(&self, at: Location) -> bool {
        self.is_top(at) || self.on_top.contains_key(&at)
    }

    /// Whether it is the root of its mount, in the tree or not.
    pub(crate) fn is_top(&self, at: Location) -> bool {
        self.mounts.get(&at.mount).is_some_and(|mount| mount.root == at)
    }

    /// A path led into this mount.
    pub(crate) fn used(&self, at: Location) {
        if let Some(mount) = self.mounts.get(&at.mount) {
            mount.used.set(mount.used.get().wrapping_add(1));
        }
    }

    /// One more (`held`) or one less holder of an inode: it lives while it is held.
    pub fn hold(&mut self, at: Location, held: bool) {
        if let Ok(fs) = self.fs_mut(at) {
            fs.hold(at.ino, held);
        }
        if !held {
            self.tell_if_gone(at);
            self.forget_removed(at);
        }
        let Some(mount) = self.mounts.get_mut(&at.mount) else { return };
        mount.used.set(mount.used.get().wrapping_add(1));
        mount.holders = if held { mount.holders.saturating_add(1) } else { mount.holders.saturating_sub(1) };
        if mount.detached && mount.holders == 0 {
            self.drop_mount(at.mount);
        }
    }

    /// One line per mount: source, directory, type, options, parted by tabs.
    #[must_use]
    pub fn mounts(&self) -> String {
        let line = |mount: crate::MountInfo| {
            let point = String::from_utf8_lossy(&mount.point).into_owned();
            format!("{}\t{point}\t{}\t{}\n", mount.source, mount.kind, mount.options())
        };
        self.mount_table(self.root()).into_iter().map(line).collect()
    }
}
