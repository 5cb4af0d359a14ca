//! The operations.

use super::{HostDirectory, Result, attr, kind, of};
use crate::disk::errno;
use abi::Errno;
use abi::layout::Statfs;
use rustix::fs::{
    AtFlags, Dir, FallocateFlags, FileType, Gid, Mode, OFlags, RenameFlags, SeekFrom, Timespec, Timestamps,
    Uid, XattrFlags,
};
use std::ffi::OsStr;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use vfs::{Attr, EachName, FileSystem, Ino, Kind, NewName, NewNode, SetAttr, Time};

const SECOND_NS: u64 = 1_000_000_000;
/// `XATTR_SIZE_MAX` and `XATTR_LIST_MAX`
const XATTR_MAX: usize = 64 << 10;

/// A name for the host: one component, which leads neither up nor down.
pub(super) fn text(name: &[u8]) -> Result<&OsStr> {
    let leads = name.is_empty() || name == b"." || name == b".." || name.contains(&b'/');
    if leads { Err(Errno::EINVAL) } else { Ok(OsStr::from_bytes(name)) }
}

impl HostDirectory {
    fn make(&self, dir: Ino, name: &[u8], node: &NewNode) -> Result<Ino> {
        self.writable()?;
        let at = self.directory(dir)?;
        let mode = Mode::from_raw_mode(node.mode & 0o7777);
        match node.kind {
            Kind::Regular => {
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&at, text(name)?, flags, mode).map_err(of)?;
                // The umask is the server's: it has been the caller's affair.
                rustix::fs::fchmod(&file, mode).map_err(of)?;
            }
            Kind::Directory => {
                rustix::fs::mkdirat(&at, text(name)?, mode).map_err(of)?;
                let made = rustix::fs::openat(
                    &at,
                    text(name)?,
                    OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                    Mode::empty(),
                );
                rustix::fs::fchmod(made.map_err(of)?, mode).map_err(of)?;
            }
            Kind::Symlink => {
                rustix::fs::symlinkat(OsStr::from_bytes(&node.target), &at, text(name)?).map_err(of)?
            }
            Kind::Fifo | Kind::Socket => {
                let kind = if node.kind == Kind::Fifo { FileType::Fifo } else { FileType::Socket };
                rustix::fs::mknodat(&at, text(name)?, kind, mode, 0).map_err(of)?;
            }
            Kind::Char | Kind::Block => return Err(Errno::EPERM),
        }
        Ok(self.child(dir, name)?.st_ino)
    }

    /// By which name the host reaches an inode without following it.
    fn by_descriptor(&self, ino: Ino) -> Result<(std::os::fd::OwnedFd, String)> {
        let fd = self.descriptor(ino, OFlags::PATH)?;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        Ok((fd, path))
    }

    fn set_times(&self, ino: Ino, change: &SetAttr) -> Result<()> {
        if change.atime.is_none() && change.mtime.is_none() {
            return Ok(());
        }
        let time = |time: Option<Time>| match time {
            Some(time) => Timespec {
                tv_sec: (time / SECOND_NS).cast_signed(),
                tv_nsec: (time % SECOND_NS).cast_signed(),
            },
            None => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        };
        let times = Timestamps { last_access: time(change.atime), last_modification: time(change.mtime) };
        let (_fd, path) = self.by_descriptor(ino)?;
        rustix::fs::utimensat(rustix::fs::CWD, path, &times, AtFlags::empty()).map_err(of)
    }
}

impl FileSystem for HostDirectory {
    fn name(&self) -> &'static str {
        "dir"
    }

    fn root(&self) -> Ino {
        self.root_ino
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        attr(&self.statx(ino)?)
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, _now: Time) -> Result<()> {
        self.writable()?;
        if let Some(size) = change.size {
            self.file(ino, true)?.set_len(size).map_err(|error| errno(&error))?;
        }
        let stat = self.stat(ino)?;
        let uid = change.uid.filter(|uid| *uid != stat.st_uid);
        let gid = change.gid.filter(|gid| *gid != stat.st_gid);
        if uid.is_some() || gid.is_some() {
            let fd = self.descriptor(ino, OFlags::PATH)?;
            let owner = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
            rustix::fs::chownat(&fd, "", owner.0, owner.1, AtFlags::EMPTY_PATH).map_err(of)?;
        }
        if let Some(mode) = change.mode.filter(|mode| *mode != stat.st_mode & 0o7777) {
            let (_fd, path) = self.by_descriptor(ino)?;
            rustix::fs::chmod(path, Mode::from_raw_mode(mode)).map_err(of)?;
        }
        self.set_times(ino, change)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        Ok(self.child(dir, name)?.st_ino)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        if dir == self.root_ino {
            return Ok(dir);
        }
        self.known.borrow().get(&dir).map(|(above, _)| *above).ok_or(Errno::ENOENT)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        self.known.borrow().get(&dir).map(|(_, name)| name.clone()).ok_or(Errno::ENOENT)
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, _now: Time) -> Result<Ino> {
        match name {
            NewName::Named(name) => self.make(dir, name, node),
            NewName::Unnamed { .. } => Err(Errno::EOPNOTSUPP),
        }
    }

    fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, _now: Time) -> Result<()> {
        self.writable()?;
        let (above, old) = self.known.borrow().get(&ino).cloned().ok_or(Errno::ESTALE)?;
        let (from, to) = (self.directory(above)?, self.directory(dir)?);
        rustix::fs::linkat(&from, text(&old)?, &to, text(name)?, AtFlags::empty()).map_err(of)
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], _now: Time) -> Result<()> {
        self.writable()?;
        let at = self.directory(dir)?;
        rustix::fs::unlinkat(&at, text(name)?, AtFlags::empty()).map_err(of)
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], _now: Time) -> Result<()> {
        self.writable()?;
        let at = self.directory(dir)?;
        rustix::fs::unlinkat(&at, text(name)?, AtFlags::REMOVEDIR).map_err(of)
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), _now: Time) -> Result<()> {
        self.writable()?;
        let (old, new) = (self.directory(from.0)?, self.directory(to.0)?);
        rustix::fs::renameat(&old, text(from.1)?, &new, text(to.1)?).map_err(of)?;
        self.child(to.0, to.1).map(drop)
    }

    fn exchange(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), _now: Time) -> Result<()> {
        self.writable()?;
        let (first, second) = (self.directory(one.0)?, self.directory(other.0)?);
        let flags = RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(&first, text(one.1)?, &second, text(other.1)?, flags).map_err(of)?;
        self.child(one.0, one.1)?;
        self.child(other.0, other.1).map(drop)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        let fd = self.descriptor(ino, OFlags::PATH)?;
        match rustix::fs::readlinkat(&fd, "", Vec::new()) {
            Ok(target) => Ok(target.into_bytes()),
            Err(rustix::io::Errno::NOENT) => Err(Errno::EINVAL),
            Err(errno) => Err(of(errno)),
        }
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.file(ino, false)?.read_at(into, offset).map_err(|error| errno(&error))
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], _now: Time) -> Result<usize> {
        self.writable()?;
        self.file(ino, true)?.write_at(bytes, offset).map_err(|error| errno(&error))
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, _now: Time) -> Result<()> {
        self.writable()?;
        rustix::fs::fallocate(self.file(ino, true)?, FallocateFlags::from_bits_retain(mode), offset, len)
            .map_err(of)
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        let from = if data { SeekFrom::Data(offset) } else { SeekFrom::Hole(offset) };
        rustix::fs::seek(self.file(ino, false)?, from).map_err(of)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        let fd = self.descriptor(dir, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let entries = Dir::read_from(fd).map_err(of)?;
        // `.` and `..` have cookies 1 and 2; those of the host may be anything, so entries are counted.
        let mut cookie = 2;
        for entry in entries {
            let entry = entry.map_err(of)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            cookie += 1;
            self.learn(entry.ino(), dir, name);
            let kind = match Kind::from_mode(entry.file_type().as_raw_mode()) {
                Some(kind) => kind,
                None => self.child(dir, name).ok().as_ref().and_then(kind).unwrap_or(Kind::Regular),
            };
            if cookie > after && !each(cookie, entry.ino(), kind, name) {
                break;
            }
        }
        Ok(())
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let (_fd, path) = self.by_descriptor(ino)?;
        let mut value = vec![0; XATTR_MAX];
        let len = rustix::fs::getxattr(path, OsStr::from_bytes(name), &mut value[..]).map_err(of)?;
        value.truncate(len);
        Ok(value)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        let (_fd, path) = self.by_descriptor(ino)?;
        let mut names = vec![0; XATTR_MAX];
        let len = match rustix::fs::listxattr(path, &mut names[..]) {
            Ok(len) => len,
            // A link's target is not what was asked for, and file systems without attributes have none.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::OPNOTSUPP) => 0,
            Err(errno) => return Err(of(errno)),
        };
        let names = names[..len].split(|byte| *byte == 0);
        // Lists stand for themselves where they are served; here they are the host's.
        Ok(names.filter(|name| name.starts_with(b"user.")).map(<[u8]>::to_vec).collect())
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, _now: Time) -> Result<()> {
        self.writable()?;
        let (_fd, path) = self.by_descriptor(ino)?;
        match value {
            Some(value) => {
                rustix::fs::setxattr(path, OsStr::from_bytes(name), value, XattrFlags::empty()).map_err(of)
            }
            None => rustix::fs::removexattr(path, OsStr::from_bytes(name)).map_err(of),
        }
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        if !held {
            self.held.remove(&ino);
        } else if let Ok(file) = self.file(ino, !self.read_only).or_else(|_| self.file(ino, false)) {
            self.held.insert(ino, file);
        }
    }

    fn identity(&self) -> Option<u64> {
        self.identity
    }

    fn find(&self, ino: Ino) -> Result<()> {
        match self.stat(ino) {
            Ok(_) => Ok(()),
            Err(_) => self.search(ino),
        }
    }

    fn statfs(&self) -> Result<Statfs> {
        let host = rustix::fs::fstatvfs(&self.root).map_err(of)?;
        Ok(Statfs {
            f_type: 0x0102_1997, // V9FS_MAGIC: a directory that another kernel has.
            f_bsize: host.f_bsize.cast_signed(),
            f_frsize: host.f_frsize.cast_signed(),
            f_blocks: host.f_blocks,
            f_bfree: host.f_bfree,
            f_bavail: host.f_bavail,
            f_files: host.f_files,
            f_ffree: host.f_ffree,
            f_namelen: 255,
            ..Statfs::default()
        })
    }

    fn sync(&mut self, ino: Option<Ino>) -> Result<()> {
        match ino.map(|ino| self.file(ino, false)) {
            Some(Ok(file)) => file.sync_all().map_err(|error| errno(&error)),
            // A directory, or all: what the host keeps it in.
            _ => rustix::fs::syncfs(self.descriptor(self.root_ino, OFlags::RDONLY | OFlags::DIRECTORY)?)
                .map_err(of),
        }
    }

    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        if !options.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.read_only = read_only;
        Ok(())
    }
}
