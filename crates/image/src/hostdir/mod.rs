//! A directory of the host, as a file system (`mount -t dir`).
//!
//! All is done by the server's user. Nothing outside of the directory can be reached: every path is resolved below it by openat2(2)
//! without following any link, and what the host changes meanwhile cannot change that. Devices, fifos and sockets are shown and
//! are the rump kernel's to open; the host's are never opened.

mod search;
mod system;

use crate::disk::errno;
use crate::{Opened, Opening};
use abi::Errno;
use foldhash::{HashMap, HashMapExt};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat, Statx, StatxFlags, StatxTimestamp};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use vfs::{Attr, Ino, Kind, Time};

type Result<T> = std::result::Result<T, Errno>;

/// Names of inodes that are kept: of more, those that were used first are looked up again by the tree.
const KNOWN_MAX: usize = 1 << 18;

/// A directory of the host.
pub(crate) struct HostDirectory {
    root: OwnedFd,
    root_ino: Ino,
    /// What the directory is known by on this host.
    identity: Option<u64>,
    /// Where inodes were seen last: the directory, and the name there.
    known: RefCell<HashMap<Ino, (Ino, Vec<u8>)>>,
    /// Files that are open and may have no name any more.
    held: HashMap<Ino, File>,
    read_only: bool,
}

/// Opens one.
///
/// # Errors
/// The host's.
pub(crate) fn open(path: &[u8], how: Opening<'_>) -> Result<Opened> {
    if !how.options.is_empty() {
        return Err(Errno::EINVAL);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(OsStr::from_bytes(path), flags, Mode::empty()).map_err(of)?;
    let stat = rustix::fs::fstat(&root).map_err(of)?;
    let root_ino = stat.st_ino;
    let fs = HostDirectory {
        root,
        root_ino,
        identity: Some(stat.st_dev.rotate_left(32) ^ root_ino),
        known: RefCell::default(),
        held: HashMap::new(),
        read_only: how.read_only,
    };
    // Others change it too: nothing that is known stays true.
    Ok(Opened { fs: Box::new(fs), behind: false, keeps_nodes: false, exact: true })
}

fn of(errno: rustix::io::Errno) -> Errno {
    Errno::from_number(errno.raw_os_error())
}

impl HostDirectory {
    /// The names that lead to an inode from the root.
    fn path(&self, ino: Ino) -> Result<Vec<u8>> {
        const DEPTH_MAX: usize = 4096;
        let known = self.known.borrow();
        let (mut names, mut at) = (Vec::new(), ino);
        while at != self.root_ino {
            let (dir, name) = known.get(&at).ok_or(Errno::ESTALE)?;
            names.push(name.as_slice());
            at = *dir;
            if names.len() > DEPTH_MAX {
                return Err(Errno::ELOOP);
            }
        }
        names.reverse();
        Ok(names.join(&b'/'))
    }

    /// Opens what an inode's path leads to, which must still be that inode.
    fn descriptor(&self, ino: Ino, flags: OFlags) -> Result<OwnedFd> {
        let path = self.path(ino)?;
        let path = if path.is_empty() { b".".to_vec() } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        // NO_SYMLINKS refuses the last component too, unless it is only named.
        let resolve =
            if flags.contains(OFlags::PATH) { resolve & !ResolveFlags::NO_SYMLINKS } else { resolve };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat2(&self.root, OsStr::from_bytes(&path), flags, Mode::empty(), resolve);
        let fd = fd.map_err(|errno| match of(errno) {
            Errno::ENOENT | Errno::ENOTDIR => Errno::ESTALE,
            errno => errno,
        })?;
        if rustix::fs::fstat(&fd).map_err(of)?.st_ino != ino {
            return Err(Errno::ESTALE);
        }
        Ok(fd)
    }

    /// A directory, to name things in.
    fn directory(&self, ino: Ino) -> Result<OwnedFd> {
        self.descriptor(ino, OFlags::PATH | OFlags::DIRECTORY)
    }

    /// The bytes of a regular file; nothing else is ever opened.
    fn file(&self, ino: Ino, write: bool) -> Result<File> {
        if let Some(file) = self.held.get(&ino) {
            return file.try_clone().map_err(|error| errno(&error));
        }
        let named = self.descriptor(ino, OFlags::PATH)?;
        if kind(&rustix::fs::fstat(&named).map_err(of)?) != Some(Kind::Regular) {
            return Err(Errno::EINVAL);
        }
        let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
        // Nothing blocks should it have become a fifo meanwhile.
        self.descriptor(ino, access | OFlags::NONBLOCK).map(File::from)
    }

    fn stat(&self, ino: Ino) -> Result<Stat> {
        if let Some(file) = self.held.get(&ino) {
            return rustix::fs::fstat(file).map_err(of);
        }
        rustix::fs::fstat(self.descriptor(ino, OFlags::PATH)?).map_err(of)
    }

    /// As [`HostDirectory::stat`], with the time when it was made.
    fn statx(&self, ino: Ino) -> Result<Statx> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        match self.held.get(&ino) {
            Some(file) => rustix::fs::statx(file, "", flags, wanted),
            None => rustix::fs::statx(self.descriptor(ino, OFlags::PATH)?, "", flags, wanted),
        }
        .map_err(of)
    }

    /// What a name stands for, which is known from now on.
    fn child(&self, dir: Ino, name: &[u8]) -> Result<Stat> {
        let at = self.directory(dir)?;
        let stat = rustix::fs::statat(&at, system::text(name)?, AtFlags::SYMLINK_NOFOLLOW).map_err(of)?;
        self.learn(stat.st_ino, dir, name);
        Ok(stat)
    }

    fn learn(&self, ino: Ino, dir: Ino, name: &[u8]) {
        let mut known = self.known.borrow_mut();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        if ino != self.root_ino {
            known.insert(ino, (dir, name.to_vec()));
        }
    }

    fn writable(&self) -> Result<()> {
        if self.read_only { Err(Errno::EROFS) } else { Ok(()) }
    }
}

fn kind(stat: &Stat) -> Option<Kind> {
    Kind::from_mode(stat.st_mode)
}

fn attr(stat: &Statx) -> Result<Attr> {
    let time = |time: StatxTimestamp| -> Time {
        let whole = u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000);
        whole.saturating_add(time.tv_nsec.into())
    };
    let mode = u32::from(stat.stx_mode);
    Ok(Attr {
        ino: stat.stx_ino,
        kind: Kind::from_mode(mode).ok_or(Errno::EIO)?,
        mode: mode & 0o7777,
        nlink: stat.stx_nlink.into(),
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        rdev: rustix::fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor),
        size: stat.stx_size,
        blocks: stat.stx_blocks,
        atime: time(stat.stx_atime),
        mtime: time(stat.stx_mtime),
        ctime: time(stat.stx_ctime),
        btime: time(stat.stx_btime),
        acl: None,
    })
}
