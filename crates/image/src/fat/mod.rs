//! FAT12, FAT16 and FAT32 with long names, by the crate `hadris-fat`.
//!
//! FAT has no inodes: what an inode is, is where its directory entry lay when it was first told of, and the crate keeps that
//! number for as long as it is pinned. Each has one pin here, until its name is removed. A file that is removed while somebody has
//! it open lives on under a name in the root directory that nobody is shown, as NFS clients do it; a killed server leaves that behind.

mod options;
mod system;

use crate::disk::Disk;
use crate::hadris::{Blocks, errno, mount_errno, node};
use crate::{Opened, Opening};
use abi::Errno;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use hadris_fat::CacheOptions;
use hadris_fat::sync::FatFs;
use hadris_fs::{Clock, DateTime, MountOptions, Name, NodeId, RenameMode};
use options::Options;
use std::cell::{Cell, RefCell};
use vfs::{Attr, Ino, Time};

type Result<T> = std::result::Result<T, Errno>;

/// Blocks of the tables and directories that are kept.
const BLOCKS: usize = 64;
/// Entries of a directory that is searched, and places in files, that are kept.
const ENTRIES: usize = 1 << 14;

/// A FAT file system.
pub(crate) struct FatDrive(RefCell<State>);

struct State {
    volume: FatFs<Blocks>,
    /// To open it anew.
    disk: Disk,
    options: Options,
    /// Inodes that were told of: each has one pin.
    pinned: HashSet<Ino>,
    holders: HashMap<Ino, u64>,
    /// Files without a name that somebody holds: the name that they have in the root directory meanwhile.
    hidden: HashMap<Ino, Vec<u8>>,
    /// Directories without a name that somebody holds, as they were.
    gone: HashMap<Ino, Attr>,
}

/// Opens one.
///
/// # Errors
/// `EINVAL`: there is none, or an option is unknown. `EUCLEAN`: it makes no sense.
pub(crate) fn open(disk: Disk, how: Opening<'_>) -> Result<Opened> {
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let options = Options::parse(how.options, own)?;
    let volume = mount(&disk, how.read_only)?;
    let state = State {
        volume,
        disk,
        options,
        pinned: HashSet::new(),
        holders: HashMap::new(),
        hidden: HashMap::new(),
        gone: HashMap::new(),
    };
    Ok(Opened { fs: Box::new(FatDrive(RefCell::new(state))), behind: false, keeps_nodes: true, exact: false })
}

fn mount(disk: &Disk, read_only: bool) -> Result<FatFs<Blocks>> {
    let options = MountOptions::new().with_clock(&Now);
    let options = if read_only { options.read_only() } else { options };
    let volume = FatFs::mount(Blocks(disk.clone()), options).map_err(|error| mount_errno(error.error()))?;
    let cache = CacheOptions::new().with_blocks(BLOCKS).with_chain_positions(ENTRIES);
    Ok(volume.with_cache(cache.with_directory_entries(ENTRIES).with_directory_hint(true)))
}

thread_local! {
    /// The time of the operation that the worker's thread carries out.
    static NOW: Cell<Time> = const { Cell::new(0) };
}

/// The crate asks for the time by way of a static.
struct Now;

impl Clock for Now {
    fn now(&self) -> DateTime {
        date_time(NOW.get())
    }
}

/// The time as the crate has it; FAT's ends in 2107.
fn date_time(time: Time) -> DateTime {
    let seconds = i64::try_from(time / crate::hadris::SECOND_NS).unwrap_or(i64::MAX);
    DateTime::from_unix_seconds(seconds).unwrap_or(DateTime::MAX)
}

/// A name as FAT keeps it: dots at its end count for nothing (fs/fat/namei_vfat.c, `vfat_striptail_len`).
///
/// # Errors
/// `ENOENT`: nothing but dots. `EINVAL`: no UTF-8, which long names have to come from.
fn name(bytes: &[u8]) -> Result<&Name> {
    let len = bytes.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    if len == 0 {
        return Err(Errno::ENOENT);
    }
    std::str::from_utf8(&bytes[..len]).map_err(|_| Errno::EINVAL)?;
    Ok(Name::new(&bytes[..len]))
}

/// Whether this is one of the names under which files lie that have none.
fn is_among(hidden: &HashMap<Ino, Vec<u8>>, name: &[u8]) -> bool {
    hidden.values().any(|hidden| hidden.eq_ignore_ascii_case(name))
}

impl State {
    fn root(&self) -> Ino {
        self.volume.root().get()
    }

    fn is_hidden(&self, dir: Ino, name: &[u8]) -> bool {
        dir == self.root() && is_among(&self.hidden, name)
    }

    /// Keeps one pin of an inode that the crate has pinned once more.
    fn pin(&mut self, found: NodeId) -> Ino {
        if found.get() != self.root() && !self.pinned.insert(found.get()) {
            self.volume.forget(found, 1);
        }
        found.get()
    }

    fn unpin(&mut self, ino: Ino) {
        if self.pinned.remove(&ino)
            && let Ok(node) = node(ino)
        {
            self.volume.forget(node, 1);
        }
    }

    fn find(&mut self, dir: Ino, bytes: &[u8]) -> Result<Ino> {
        if self.gone.contains_key(&dir) || self.is_hidden(dir, bytes) {
            return Err(Errno::ENOENT);
        }
        let found = self.volume.lookup(node(dir)?, name(bytes)?).map_err(|error| errno(&error))?;
        Ok(self.pin(found))
    }

    /// What has this name is about to lose it: takes care of those who hold it. Answers whether the name is gone already.
    fn part(&mut self, dir: Ino, bytes: &[u8], ino: Ino) -> Result<bool> {
        if !self.holders.contains_key(&ino) {
            // The crate keeps no pinned inode from being removed, but from being replaced.
            self.unpin(ino);
            return Ok(false);
        }
        let root = self.volume.root();
        let mut number = ino;
        let hidden = loop {
            let hidden = format!(".rump-{number:016x}").into_bytes();
            if self.volume.lookup(root, Name::new(&hidden)).map(|found| self.pin(found)).is_err() {
                break hidden;
            }
            number = number.wrapping_add(1);
        };
        let to = Name::new(&hidden);
        let moved = self.volume.rename(node(dir)?, name(bytes)?, root, to, RenameMode::NoReplace);
        moved.map_err(|error| errno(&error))?;
        self.hidden.insert(ino, hidden);
        Ok(true)
    }

    /// A file without a name is held by nobody any more.
    fn bury(&mut self, ino: Ino) -> Result<()> {
        let Some(hidden) = self.hidden.remove(&ino) else { return Ok(()) };
        self.unpin(ino);
        self.volume.unlink(self.volume.root(), Name::new(&hidden)).map_err(|error| errno(&error))
    }
}
