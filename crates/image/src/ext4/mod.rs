//! ext2, ext3 and ext4, by the crate `rsext4`: journal, checksums, indexed directories and all.
//!
//! What is added here: times with their nanoseconds, access control lists, inodes that are open and have no name, errors.

mod acl;
mod anchor;
mod attributes;
mod commit;
mod data;
mod device;
mod finish;
mod journal;
mod names;
mod raw;
mod system;
mod unnamed;
mod unwritten;
mod xattr;

use crate::disk::Disk;
use crate::{Opened, Opening};
use abi::Errno;
use commit::Commits;
use device::{Device, SharedClock, Weight};
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use raw::{Raw, Times};
use rsext4::{
    Ext4, Ext4Error, Ext4ErrorKind, InodeInfo, InodeNumber, MountOptions, MountServices, MountedServices,
    NoopObserver,
};
use std::cell::RefCell;
use vfs::{Ino, Time};

type Result<T> = std::result::Result<T, Errno>;

/// An ext2, ext3 or ext4 file system.
pub(crate) struct Ext4Fs(RefCell<State>);

struct State {
    ext4: Ext4<Device, MountedServices<(), NoopObserver, ()>>,
    clock: SharedClock,
    raw: Raw,
    commits: Commits,
    read_only: bool,
    /// Times of inodes that were changed here; those of others are on the disk. The crate tells seconds only.
    times: HashMap<u32, Times>,
    holders: HashMap<Ino, u64>,
    /// Directories that names were entered into.
    grown: HashSet<u32>,
    /// Groups that had no inode bitmap.
    bare_groups: Vec<u32>,
    /// Inodes without names that somebody holds.
    orphans: HashSet<Ino>,
    /// Files without names that may get one, and what they are called meanwhile.
    unnamed: HashMap<Ino, Vec<u8>>,
    /// The number of the last one.
    last_unnamed: u64,
    /// Files whose first block is taken.
    anchored: HashSet<Ino>,
}

/// Opens one.
///
/// # Errors
/// `EINVAL`: there is none, or it cannot be used. `EROFS`: its journal would have to be written. `EUCLEAN`: it is damaged.
pub(crate) fn open(disk: Disk, how: Opening<'_>) -> Result<Opened> {
    options(how.options)?;
    let read_only = how.read_only || disk.is_read_only();
    let state = State::open(disk, read_only)?;
    Ok(Opened {
        fs: Box::new(Ext4Fs(RefCell::new(state))),
        behind: !read_only,
        keeps_nodes: true,
        exact: true,
    })
}

/// What a server that was killed has left in the journal is put in its place, and then what the crate leaves undone.
fn recover(disk: &Disk) -> Result<()> {
    let device = Device::new(disk.clone(), Weight::default(), true);
    let services = MountServices::new(SharedClock::default(), (), NoopObserver);
    let mounted = Ext4::mount(device, services, MountOptions::read_write());
    mounted.and_then(|mut ext4| ext4.unmount()).map_err(|error| mount_errno(&error))?;
    Raw::read(disk.clone())?.finish_all()
}

/// Options that say what is done anyway (ext4(5)).
fn options(text: &[u8]) -> Result<()> {
    const KNOWN: &[&[u8]] = &[
        b"",
        b"acl",
        b"user_xattr",
        b"barrier",
        b"barrier=1",
        b"data=ordered",
        b"errors=remount-ro",
        b"errors=continue",
    ];
    match text.split(|byte| *byte == b',').all(|option| KNOWN.contains(&option)) {
        true => Ok(()),
        false => Err(Errno::EINVAL),
    }
}

impl State {
    fn open(disk: Disk, read_only: bool) -> Result<Self> {
        let mut raw = Raw::read(disk.clone())?;
        if raw.needs_recovery {
            // As Linux does: "read-only" is what programs may do; the journal is replayed all the same (ext4(5), noload).
            if disk.is_read_only() {
                return Err(Errno::EROFS);
            }
            recover(&disk)?;
            raw = Raw::read(disk.clone())?;
        }
        let mount = match read_only {
            false => MountOptions::read_write(),
            true => MountOptions::read_only_no_journal_replay(),
        };
        let (clock, weight) = (SharedClock::default(), Weight::default());
        let services = MountServices::new(clock.clone(), (), NoopObserver);
        let holds = !raw.checksum_journal(read_only)?;
        let device = Device::new(disk, weight.clone(), holds);
        let ext4 = Ext4::mount(device, services, mount).map_err(|error| mount_errno(&error))?;
        let bare_groups =
            if read_only { Vec::new() } else { raw.groups_without_bitmap().unwrap_or_default() };
        let mut state = Self {
            commits: Commits::new(raw.journal_size(), weight, holds),
            ext4,
            clock,
            raw,
            read_only,
            times: HashMap::new(),
            holders: HashMap::new(),
            orphans: HashSet::new(),
            unnamed: HashMap::new(),
            last_unnamed: 0,
            anchored: HashSet::new(),
            grown: HashSet::new(),
            bare_groups,
        };
        if !read_only {
            state.drop_lost()?;
        }
        Ok(state)
    }

    /// Hands the disk back as it is to be.
    fn close(&mut self) -> Result<()> {
        self.settle()?;
        self.ext4.unmount().map_err(|error| errno(&error))?;
        if self.read_only {
            return Ok(());
        }
        for ino in std::mem::take(&mut self.grown) {
            // One that was removed meanwhile has no extents; one that is not in order is e2fsck's.
            let _ = self.raw.recount(ino);
        }
        for group in std::mem::take(&mut self.bare_groups) {
            self.raw.pad_bitmap(group)?;
        }
        self.raw.disk.sync()
    }

    /// Everything is on the disk, and the crate can do what follows: with the journal nearly full it refuses to write a superblock as
    /// the first thing of a transaction (`jbd2:checkpoint_with_unfinished_block_edit`), so another change begins it.
    fn settle(&mut self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        self.commit()?;
        let root = self.ext4.root_inode().as_u64();
        let info = self.inode(root)?;
        let atime = self.times_of(&info).atime;
        self.set_atime(root, atime)
    }

    /// From now on it is this late for the crate.
    fn at(&mut self, now: Time) -> &mut Self {
        self.clock.set(now);
        self
    }

    fn inode(&mut self, ino: Ino) -> Result<InodeInfo> {
        let info = self.ext4.inode(number(ino)?).map_err(|error| match error.kind() {
            Ext4ErrorKind::NotFound => Errno::ESTALE,
            _ => errno(&error),
        })?;
        Ok(info)
    }

    fn times_of(&self, info: &InodeInfo) -> Times {
        let known = self.times.get(&info.number.raw()).copied();
        known.or_else(|| self.raw.times(info.number.raw()).ok()).unwrap_or(Times {
            atime: seconds(info.atime),
            mtime: seconds(info.mtime),
            ctime: seconds(info.ctime),
            btime: seconds(info.btime),
        })
    }

    /// Notes times that an operation has changed.
    fn note(&mut self, ino: Ino, change: impl FnOnce(&mut Times)) {
        let Ok(info) = self.inode(ino) else { return };
        let mut times = self.times_of(&info);
        change(&mut times);
        self.times.insert(info.number.raw(), times);
    }

    /// Somebody holds an inode, or does no more.
    fn hold(&mut self, ino: Ino, held: bool) {
        let holders = self.holders.entry(ino).or_default();
        *holders = if held { *holders + 1 } else { holders.saturating_sub(1) };
        if *holders == 0 {
            self.holders.remove(&ino);
            // Left as they are if this fails: the next mount or e2fsck(8) takes them away.
            if self.orphans.contains(&ino) {
                let _ = self.bury(ino);
            }
            let _ = self.drop_unnamed(ino);
        }
    }

    /// An inode has no name any more: it goes, unless somebody holds it.
    fn bury(&mut self, ino: Ino) -> Result<()> {
        if self.holders.contains_key(&ino) {
            self.orphans.insert(ino);
            return Ok(());
        }
        self.orphans.remove(&ino);
        self.die(ino)
    }
}

const fn seconds(seconds: u32) -> Time {
    seconds as Time * 1_000_000_000
}

fn number(ino: Ino) -> Result<InodeNumber> {
    InodeNumber::from_u64(ino).map_err(|_| Errno::ESTALE)
}

/// What a failed mount answers (mount(2)).
fn mount_errno(error: &Ext4Error) -> Errno {
    match errno(error) {
        Errno::EOPNOTSUPP => Errno::EINVAL,
        errno => errno,
    }
}

fn of<T>(result: std::result::Result<T, Ext4Error>) -> Result<T> {
    result.map_err(|error| errno(&error))
}

/// The errno that Linux's ext4 answers.
fn errno(error: &Ext4Error) -> Errno {
    match error.kind() {
        // EFSCORRUPTED and EFSBADCRC, fs/ext4/ext4.h.
        Ext4ErrorKind::Corrupted => Errno::EUCLEAN,
        Ext4ErrorKind::ChecksumMismatch => Errno::EBADMSG,
        Ext4ErrorKind::UnsupportedFeature
        | Ext4ErrorKind::UnsupportedCapability
        | Ext4ErrorKind::Unsupported => Errno::EOPNOTSUPP,
        Ext4ErrorKind::ReadOnly => Errno::EROFS,
        Ext4ErrorKind::NoSpace => Errno::ENOSPC,
        Ext4ErrorKind::NoMemory => Errno::ENOMEM,
        Ext4ErrorKind::QuotaExceeded => Errno::EDQUOT,
        Ext4ErrorKind::TooManyLinks => Errno::EMLINK,
        Ext4ErrorKind::PermissionDenied => Errno::EPERM,
        Ext4ErrorKind::NotFound => Errno::ENOENT,
        Ext4ErrorKind::AlreadyExists => Errno::EEXIST,
        Ext4ErrorKind::NotDirectory => Errno::ENOTDIR,
        Ext4ErrorKind::IsDirectory => Errno::EISDIR,
        Ext4ErrorKind::NotEmpty => Errno::ENOTEMPTY,
        Ext4ErrorKind::Busy => Errno::EBUSY,
        Ext4ErrorKind::BadFileDescriptor => Errno::EBADF,
        Ext4ErrorKind::InvalidInput | Ext4ErrorKind::InvalidMagic => Errno::EINVAL,
        Ext4ErrorKind::BadSuperblock => Errno::EINVAL,
        Ext4ErrorKind::Overflow => Errno::EOVERFLOW,
        Ext4ErrorKind::FileTooLarge => Errno::EFBIG,
        Ext4ErrorKind::Timeout => Errno::ETIMEDOUT,
        Ext4ErrorKind::Io | Ext4ErrorKind::JournalAborted => Errno::EIO,
    }
}
