//! The operations on the host, in a directory of its tmpfs.

use crate::op::Op;
use crate::ours::sorted_names;
use crate::{Came, Tree, USERS};
use abi::raw::general as raw;
use rustix::fs::{self, AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid, XattrFlags};
use rustix::io::{Errno, Result};
use std::os::fd::OwnedFd;
use tempfile::TempDir;

pub(crate) struct Host {
    /// Whether there are other users to be.
    pub(crate) is_root: bool,
    /// `fs.protected_hardlinks` is off here: ours is always on, as distributions set it.
    pub(crate) hardlinks_unprotected: bool,
    at: OwnedFd,
    directory: TempDir,
}

/// The calling thread as another user, until dropped.
struct Acting;

impl Acting {
    fn new(user: usize) -> Result<Self> {
        let user = &USERS[user];
        let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        rustix::thread::set_thread_groups(&groups)?;
        rustix::thread::set_thread_res_gid(None, Gid::from_raw(user.gid), None)?;
        rustix::thread::set_thread_res_uid(None, Uid::from_raw(user.uid), None)?;
        Ok(Self)
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        rustix::thread::set_thread_res_uid(None, Uid::ROOT, None).unwrap();
        rustix::thread::set_thread_res_gid(None, Gid::ROOT, None).unwrap();
        rustix::thread::set_thread_groups(&[]).unwrap();
    }
}

fn as_mode(mode: u32) -> Mode {
    Mode::from_raw_mode(mode)
}

impl Host {
    pub(crate) fn new() -> Self {
        // Every file of this test sets its bits itself.
        rustix::process::umask(Mode::empty());
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::chmodat(CWD, directory.path(), as_mode(0o755), AtFlags::empty()).unwrap();
        let path = directory.path().join("work");
        fs::mkdirat(CWD, &path, as_mode(0o777)).unwrap();
        let at = fs::openat(CWD, &path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let protected = std::fs::read("/proc/sys/fs/protected_hardlinks").unwrap_or_default();
        let is_root = rustix::process::geteuid().is_root();
        Self { is_root, hardlinks_unprotected: protected != b"1\n", at, directory }
    }

    pub(crate) fn run(&self, user: usize, op: &Op) -> Came {
        let _acting = (self.is_root && user != 0).then(|| Acting::new(user).unwrap());
        self.operate(op).map_err(Errno::raw_os_error)
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        fs::openat(&self.at, path, flags | OFlags::NONBLOCK, as_mode(0o600))
    }

    /// As [`Self::open`]; a fifo's own errors where ours has them.
    fn file(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let file = self.open(path, flags)?;
        match fs::FileType::from_raw_mode(fs::fstat(&file)?.st_mode) {
            fs::FileType::Fifo => Err(Errno::SPIPE),
            _ => Ok(file),
        }
    }

    fn operate(&self, op: &Op) -> Result<String> {
        match op {
            Op::Mkdir(..) | Op::Mknod(..) | Op::Symlink(..) | Op::Unlink(_) | Op::Rmdir(_) => self.names(op),
            Op::Link(..) | Op::LinkUnnamed(..) | Op::LinkUnlinked(_) | Op::Rename(..) | Op::Readlink(_) => {
                self.names(op)
            }
            Op::Chmod(..) | Op::Chown(..) | Op::Utimens(..) | Op::Access(..) | Op::Stat(..) => {
                self.attributes(op)
            }
            Op::SetXattr(..) | Op::GetXattr(..) | Op::RemoveXattr(..) | Op::ListXattr(_) => self.xattrs(op),
            _ => self.bytes(op),
        }
    }

    fn names(&self, op: &Op) -> Result<String> {
        let at = &self.at;
        match op {
            Op::Mkdir(path, mode) => fs::mkdirat(at, path, as_mode(*mode))?,
            Op::Mknod(path, mode) => {
                fs::mknodat(at, path, fs::FileType::from_raw_mode(*mode), as_mode(mode & 0o7777), 0)?;
            }
            Op::Symlink(target, path) => fs::symlinkat(target.as_str(), at, path)?,
            Op::Unlink(path) => fs::unlinkat(at, path, AtFlags::empty())?,
            Op::Rmdir(path) => fs::unlinkat(at, path, AtFlags::REMOVEDIR)?,
            Op::Link(from, to, follow) => {
                let flags = if *follow { AtFlags::SYMLINK_FOLLOW } else { AtFlags::empty() };
                fs::linkat(at, from, at, to, flags)?;
            }
            Op::LinkUnnamed(dir, to, exclusive) => {
                let exclusive = if *exclusive { OFlags::EXCL } else { OFlags::empty() };
                let file = self.open(dir, OFlags::TMPFILE | OFlags::RDWR | exclusive)?;
                self.link_open(&file, to)?;
            }
            Op::LinkUnlinked(path) => {
                let file = self.open(path, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR)?;
                fs::unlinkat(at, path, AtFlags::empty())?;
                self.link_open(&file, path)?;
            }
            Op::Rename(from, to, flags) => {
                fs::renameat_with(at, from, at, to, RenameFlags::from_bits_retain(*flags))?;
            }
            Op::Readlink(path) => return Ok(fs::readlinkat(at, path, vec![])?.into_string().unwrap()),
            other => unreachable!("{other:?}"),
        }
        Ok(String::new())
    }

    /// By way of /proc: AT_EMPTY_PATH asks for a capability.
    fn link_open(&self, file: &OwnedFd, to: &str) -> Result<()> {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/thread-self/fd/{}", file.as_raw_fd());
        fs::linkat(CWD, path, &self.at, to, AtFlags::SYMLINK_FOLLOW)
    }

    fn attributes(&self, op: &Op) -> Result<String> {
        let at = &self.at;
        let nofollow = |follow: bool| if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        match op {
            Op::Chmod(path, mode) => fs::chmodat(at, path, as_mode(*mode), AtFlags::empty())?,
            Op::Chown(path, uid, gid, follow) => {
                let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
                fs::chownat(at, path, uid, gid, nofollow(*follow))?;
            }
            Op::Utimens(path, now) => {
                let nsec = if *now { i64::from(raw::UTIME_NOW) } else { 1 };
                let time = fs::Timespec { tv_sec: 0, tv_nsec: nsec };
                let times = fs::Timestamps { last_access: time, last_modification: time };
                fs::utimensat(at, path, &times, AtFlags::empty())?;
            }
            Op::Access(path, mode) => {
                fs::accessat(at, path, fs::Access::from_bits_retain(*mode), AtFlags::EACCESS)?;
            }
            Op::Stat(path, follow) => return Ok(stat_text(&fs::statat(at, path, nofollow(*follow))?)),
            other => unreachable!("{other:?}"),
        }
        Ok(String::new())
    }

    fn xattrs(&self, op: &Op) -> Result<String> {
        // There is no setxattrat(2) here yet; the path by way of the descriptor is the same.
        use std::os::fd::AsRawFd;
        let whole = |path: &str| format!("/proc/thread-self/fd/{}/{path}", self.at.as_raw_fd());
        let mut value = [0_u8; 4096];
        match op {
            Op::SetXattr(path, name, len, flags) => {
                fs::setxattr(whole(path), *name, &vec![7; *len], XattrFlags::from_bits_retain(*flags))?;
                Ok(String::new())
            }
            Op::GetXattr(path, name) => {
                let len = fs::getxattr(whole(path), *name, &mut value)?;
                Ok(format!("{:?}", &value[..len]))
            }
            Op::RemoveXattr(path, name) => {
                fs::removexattr(whole(path), *name)?;
                Ok(String::new())
            }
            Op::ListXattr(path) => {
                let len = fs::listxattr(whole(path), &mut value)?;
                Ok(sorted_names(&value[..len]))
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn bytes(&self, op: &Op) -> Result<String> {
        match op {
            Op::Open(path, flags, mode, resolve) => {
                let flags = OFlags::from_bits_retain(*flags);
                let file = if *resolve == 0 {
                    fs::openat(&self.at, path, flags, as_mode(*mode))?
                } else {
                    // openat2(2) wants no mode where none is used.
                    let makes =
                        flags.intersects(OFlags::CREATE | OFlags::TMPFILE.difference(OFlags::DIRECTORY));
                    let mode = if makes { as_mode(*mode) } else { Mode::empty() };
                    fs::openat2(&self.at, path, flags, mode, ResolveFlags::from_bits_retain(*resolve))?
                };
                Ok(stat_text(&fs::fstat(&file)?))
            }
            Op::Write(path, offset, bytes) => {
                let file = self.file(path, OFlags::WRONLY)?;
                Ok(rustix::io::pwrite(&file, bytes, *offset)?.to_string())
            }
            Op::Read(path) => {
                let mut bytes = vec![0; 30_000];
                let len = rustix::io::pread(&self.file(path, OFlags::RDONLY)?, &mut bytes, 0)?;
                Ok(format!("{:?}", &bytes[..len]))
            }
            Op::Truncate(path, size) => {
                fs::ftruncate(self.file(path, OFlags::WRONLY)?, *size)?;
                Ok(String::new())
            }
            Op::Allocate(path, mode, offset, len) => {
                let file = self.open(path, OFlags::RDWR)?;
                fs::fallocate(&file, fs::FallocateFlags::from_bits_retain(*mode), *offset, *len)?;
                Ok(String::new())
            }
            Op::Seek(path, offset, data) => {
                let file = self.file(path, OFlags::RDONLY)?;
                if fs::FileType::from_raw_mode(fs::fstat(&file)?.st_mode).is_dir() {
                    return Ok("directory".to_owned());
                }
                let to = if *data { fs::SeekFrom::Data(*offset) } else { fs::SeekFrom::Hole(*offset) };
                Ok(fs::seek(&file, to)?.to_string())
            }
            Op::List(path) => {
                let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
                Ok(list(directory)?.join(","))
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// The whole tree: for each path what stat(2) says, and times of modification and change.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        self.branch(".", &mut tree);
        tree
    }

    fn branch(&self, path: &str, tree: &mut Tree) {
        let Ok(stat) = fs::statat(&self.at, path, AtFlags::SYMLINK_NOFOLLOW) else { return };
        let time = |sec: i64, nsec| i128::from(sec) * 1_000_000_000 + i128::from(nsec);
        let atime = match fs::FileType::from_raw_mode(stat.st_mode) {
            fs::FileType::RegularFile => time(stat.st_atime, stat.st_atime_nsec),
            _ => 0,
        };
        let times = [atime, time(stat.st_mtime, stat.st_mtime_nsec), time(stat.st_ctime, stat.st_ctime_nsec)];
        tree.insert(path.to_owned(), (stat_text(&stat), times));
        if !fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
            return;
        }
        let Ok(opened) = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY) else { return };
        for name in list(opened).unwrap() {
            let name = name.split(' ').next().unwrap();
            if name != "." && name != ".." {
                self.branch(&format!("{path}/{name}"), tree);
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // So that whoever runs the test can remove it all, what nobody may read included.
        let _readable =
            std::process::Command::new("chmod").args(["-R", "u+rwx"]).arg(self.directory.path()).status();
        let _cleaned = std::fs::remove_dir_all(self.directory.path());
    }
}

fn stat_text(stat: &fs::Stat) -> String {
    let (uid, gid, size) = (stat.st_uid, stat.st_gid, stat.st_size);
    format!("{:o} {} {uid} {gid} {size} {}", stat.st_mode, stat.st_nlink, stat.st_blocks)
}

fn list(directory: OwnedFd) -> Result<Vec<String>> {
    let entry = |entry: fs::DirEntry| {
        let kind = vfs::Kind::from_mode(entry.file_type().as_raw_mode()).unwrap();
        format!("{} {}", entry.file_name().to_string_lossy(), kind.d_type())
    };
    let mut names: Vec<String> =
        fs::Dir::new(directory)?.map(|found| found.map(entry)).collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}
