//! Devices: one row here and one file each.

pub(crate) mod drive;
mod full;
mod null;
mod random;
mod tty;
mod zero;

use crate::mount::{Location, Vfs};
use crate::node::{Kind, NewName, NewNode, Time};
use crate::permission::Who;
use abi::Errno;
use random::Random;

/// What a character device does.
pub(crate) trait CharDevice {
    /// Whether it can be opened.
    fn open(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Reads; answers how many bytes.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Errno>;

    /// Writes; answers how many bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
}

/// gnu_dev_makedev(3), of major numbers that fit into 12 bits.
pub(crate) const fn makedev(major: u64, minor: u64) -> u64 {
    major << 8 | minor & 0xff | (minor & !0xff) << 12
}

/// /dev/null's number.
pub(crate) const NULL: u64 = makedev(1, 3);

/// /dev/urandom's number.
pub(crate) const URANDOM: u64 = makedev(1, 9);

/// Name, number (Linux's devices.txt) and permission bits.
const DEVICES: &[(&str, u64, u32)] = &[
    ("null", NULL, 0o666),
    ("zero", makedev(1, 5), 0o666),
    ("full", makedev(1, 7), 0o666),
    ("random", makedev(1, 8), 0o666),
    ("urandom", URANDOM, 0o666),
    ("tty", makedev(5, 0), 0o666),
];

/// The devices of a kernel.
pub(crate) struct Devices(Vec<(u64, Box<dyn CharDevice>)>);

impl Devices {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let device = |name: &str| -> Box<dyn CharDevice> {
            match name {
                "zero" => Box::new(zero::Zero),
                "full" => Box::new(full::Full),
                "random" => Box::new(Random::new(seed, 0)),
                "urandom" => Box::new(Random::new(seed, 1)),
                "tty" => Box::new(tty::Tty),
                _ => Box::new(null::Null),
            }
        };
        Self(DEVICES.iter().map(|(name, rdev, _)| (*rdev, device(name))).collect())
    }

    fn get(&mut self, rdev: u64) -> Result<&mut (dyn CharDevice + 'static), Errno> {
        let found = self.0.iter_mut().find(|(number, _)| *number == rdev);
        found.map(|(_, device)| &mut **device).ok_or(Errno::ENXIO)
    }

    pub(crate) fn open(&self, rdev: u64) -> Result<(), Errno> {
        self.0.iter().find(|(number, _)| *number == rdev).ok_or(Errno::ENXIO)?.1.open()
    }

    pub(crate) fn read(&mut self, rdev: u64, into: &mut [u8]) -> Result<usize, Errno> {
        self.get(rdev)?.read(into)
    }

    pub(crate) fn write(&mut self, rdev: u64, bytes: &[u8]) -> Result<usize, Errno> {
        self.get(rdev)?.write(bytes)
    }
}

/// Directories that programs expect, with their permission bits.
const DIRECTORIES: &[(&str, u32)] =
    &[("dev", 0o755), ("etc", 0o755), ("run", 0o755), ("tmp", 0o1777), ("var", 0o755), ("var/tmp", 0o1777)];

/// Fills a new tree.
pub(crate) fn populate(vfs: &mut Vfs, now: Time) -> Result<(), Errno> {
    let root = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };
    let start = crate::Start { root: vfs.root(), dir: vfs.root() };
    for (path, mode) in DIRECTORIES {
        vfs.mkdir(&root, start, path.as_bytes(), *mode, now)?;
    }
    let dev = vfs.lookup(&root, start, b"dev", crate::Follow::Yes)?;
    for (name, rdev, mode) in DEVICES {
        enter(vfs, dev, name, *rdev, *mode, now)?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        vfs.symlink(&root, target.as_bytes(), crate::Start { dir: dev, ..start }, name.as_bytes(), now)?;
    }
    Ok(())
}

fn enter(vfs: &mut Vfs, dev: Location, name: &str, rdev: u64, mode: u32, now: Time) -> Result<(), Errno> {
    let node = NewNode { kind: Kind::Char, mode, uid: 0, gid: 0, rdev, target: Vec::new() };
    vfs.fs_mut(dev)?.create(dev.ino, NewName::Named(name.as_bytes()), &node, now)?;
    Ok(())
}
