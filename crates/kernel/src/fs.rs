//! The file tree of a kernel, with what calls need around it: locks, and who waits for them.

use crate::Kernel;
use crate::file::{FileId, ObjectId};
use crate::names;
use crate::proc::Proc;
use crate::process::{Pid, ProcessTable};
use crate::sysfs::view::View;
use crate::sysfs::{self, Sysfs};
use abi::Errno;
use abi::raw::general::{MS_NODEV, MS_NOEXEC, MS_NOSUID};
use foldhash::{HashMap, HashMapExt};
use std::rc::Rc;
use vfs::locks::{Locks, Owner};
use vfs::pseudo::Pseudo;
use vfs::remote::SharedExchange;
use vfs::tmpfs::Tmpfs;
use vfs::{FileSystem, Follow, Location, MountFlags, SharedMemory, Start, Time, Vfs, Who};

/// What the root file system holds at most, in bytes, unless the server says otherwise.
pub(crate) const ROOT_MAX: u64 = 1 << 30;

/// What names an inode in [`Locks`].
pub(crate) type Key = (u32, u64);

/// The file tree and the locks on its files.
pub(crate) struct Fs {
    pub(crate) vfs: Vfs,
    /// What goes to the workers of file systems that do I/O, and comes from them.
    pub(crate) exchange: SharedExchange,
    pub(crate) locks: Locks,
    /// /etc of the tree that the kernel starts with.
    pub(crate) etc: Location,
    /// What changes when a lock on this inode is given up, where somebody waits for one.
    waited: HashMap<Key, ObjectId>,
    /// What sysfs shows.
    pub(crate) shown: Rc<View>,
    /// Makes memory that programs can map, if the server can.
    pub(crate) memory: Option<Box<dyn SharedMemory>>,
}

impl Fs {
    /// A tree whose root is an empty tmpfs with devices, /proc and /sys; it holds at most `ram` bytes.
    ///
    /// # Errors
    /// `ENOSPC`.
    pub(crate) fn new(seed: [u8; 32], now: Time, ram: u64, processes: &ProcessTable) -> Result<Self, Errno> {
        let mut vfs = Vfs::new(Tmpfs::new(ram, now), seed, now)?;
        let (root, start) = (
            Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" },
            Start { root: vfs.root(), dir: vfs.root() },
        );
        let shown = Rc::new(View::default());
        let proc: Box<dyn FileSystem> = Box::new(Pseudo::new(Proc::new(processes.view.clone()), now));
        let sysfs = Box::new(Pseudo::new(Sysfs::new(Rc::clone(&shown), processes.view.clone()), now));
        for (name, dir, made) in [("proc", "proc", proc), (sysfs::NAME, "sys", sysfs)] {
            vfs.mkdir(&root, start, dir.as_bytes(), 0o555, now)?;
            let on = vfs.lookup(&root, start, dir.as_bytes(), Follow::Yes)?;
            vfs.mount(made, on, name, MountFlags::new(MS_NOSUID | MS_NODEV | MS_NOEXEC))?;
        }
        // mount(8), df(1) and others look there.
        vfs.symlink(&root, b"../proc/self/mounts", start, b"etc/mtab", now)?;
        let etc = vfs.lookup(&root, start, b"etc", Follow::Yes)?;
        names::make_files(&mut vfs, etc, now)?;
        Ok(Self {
            vfs,
            etc,
            exchange: SharedExchange::default(),
            locks: Locks::default(),
            waited: HashMap::new(),
            shown,
            memory: None,
        })
    }
}

impl Fs {
    /// A random UUID (RFC 9562, version 4), from /dev/urandom.
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn uuid(&mut self) -> Result<String, Errno> {
        let mut bytes = [0; 16];
        self.vfs.random(&mut bytes)?;
        let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(3 << 62) | 4 << 76 | 2 << 62;
        let hex = format!("{number:032x}");
        Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }
}

impl Kernel {
    /// What changes when a lock on this inode is given up.
    pub(crate) fn lock_object(&mut self, key: Key) -> ObjectId {
        let files = &mut self.files;
        *self.fs.waited.entry(key).or_insert_with(|| files.new_object())
    }

    /// A lock on this inode was given up: those who wait for one try again.
    pub(crate) fn lock_freed(&mut self, key: Key) {
        if let Some(object) = self.fs.waited.remove(&key) {
            self.wake(object);
        }
    }

    /// A process closed a descriptor of this inode, and with it lost its locks there (fcntl(2)).
    pub(crate) fn unlock_process(&mut self, pid: Pid, key: Key) {
        let held = self.processes.get_mut(pid).is_ok_and(|process| process.locked.remove(&key));
        if held && self.fs.locks.unlock_all(key, Owner::Process(pid.0)) {
            self.lock_freed(key);
        }
    }

    /// An open file is gone, and with it the locks that it held.
    pub(crate) fn unlock_file(&mut self, file: u64, key: Key) {
        let flock = self.fs.locks.unflock(key, file);
        let ranges = self.fs.locks.unlock_all(key, Owner::File(file));
        if flock || ranges {
            self.lock_freed(key);
        }
    }

    /// A process dropped a descriptor of a file.
    pub(crate) fn unlock_at_close(&mut self, pid: Pid, file: FileId) {
        if let Ok(key) = self.files.get(file).map(|file| file.lock_key()) {
            self.unlock_process(pid, key);
        }
    }

    /// A process with descriptors of its own dropped one.
    pub(crate) fn close_descriptor(&mut self, pid: Pid, file: FileId) {
        self.unlock_at_close(pid, file);
        self.release(file);
    }

    /// A process ends, and with it all its locks.
    pub(crate) fn unlock_all_of(&mut self, pid: Pid) {
        let locked = self.processes.get_mut(pid).map(|process| std::mem::take(&mut process.locked));
        for key in locked.unwrap_or_default() {
            if self.fs.locks.unlock_all(key, Owner::Process(pid.0)) {
                self.lock_freed(key);
            }
        }
    }
}
