//! The operations here.

use crate::op::Op;
use crate::{Came, Tree, USERS};
use abi::Errno;
use abi::raw::general as raw;
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Kind, Location, Opening, SetTime, Start, Time, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };

pub(crate) struct Ours {
    vfs: Vfs,
    start: Start,
    now: Time,
}

/// Whom the host takes us for.
fn who(user: usize) -> Who<'static> {
    if rustix::process::geteuid().is_root() {
        let user = &USERS[user];
        return Who { uid: user.uid, gid: user.gid, groups: user.groups, umask: 0, prefix: b"" };
    }
    let groups: Vec<u32> = rustix::process::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Who { uid, gid, groups: groups.leak(), umask: 0, prefix: b"" }
}

impl Ours {
    pub(crate) fn new() -> Self {
        let mut vfs = Vfs::new(Tmpfs::new(64 << 20, 1), [1; 32], 1).unwrap();
        let root = Start { root: vfs.root(), dir: vfs.root() };
        vfs.mkdir(&ROOT, root, b"/work", 0o777, 1).unwrap();
        let dir = vfs.lookup(&ROOT, root, b"/work", Follow::Yes).unwrap();
        vfs.chown(&ROOT, dir, Some(who(0).uid), Some(who(0).gid), 1).unwrap();
        vfs.chmod(&ROOT, dir, 0o777, 1).unwrap();
        vfs.hold(dir, true);
        Self { vfs, start: Start { root: dir, dir }, now: 10 }
    }

    /// Whether one of its paths leads out of the directory.
    pub(crate) fn leaves(&mut self, op: &Op) -> bool {
        let how = Opening { flags: raw::O_PATH, mode: 0, resolve: u64::from(raw::RESOLVE_BENEATH) };
        let leads_out = |path: &&str| {
            self.vfs.open(&ROOT, self.start, path.as_bytes(), how, self.now).err() == Some(Errno::EXDEV)
        };
        op.paths().iter().any(leads_out)
    }

    pub(crate) fn run(&mut self, user: usize, op: &Op) -> Came {
        self.now += 1;
        self.operate(&who(user), op).map_err(|errno| errno.number())
    }

    fn find(&self, who: &Who<'_>, path: &str, follow: Follow) -> Result<Location, Errno> {
        self.vfs.lookup(who, self.start, path.as_bytes(), follow)
    }

    fn open(&mut self, who: &Who<'_>, path: &str, flags: u32, mode: u32) -> Result<Location, Errno> {
        let how = Opening { flags: flags | raw::O_NONBLOCK, mode, resolve: 0 };
        let opened = self.vfs.open(who, self.start, path.as_bytes(), how, self.now)?;
        Ok(opened.at)
    }

    /// A regular file: what the kernel crate does with others is not asked here.
    fn file(&mut self, who: &Who<'_>, path: &str, flags: u32) -> Result<Location, Errno> {
        let at = self.open(who, path, flags, 0)?;
        match self.vfs.attr(at)?.kind {
            Kind::Fifo if flags & raw::O_ACCMODE == raw::O_WRONLY => Err(Errno::ENXIO),
            Kind::Fifo => Err(Errno::ESPIPE),
            _ => Ok(at),
        }
    }

    fn operate(&mut self, who: &Who<'_>, op: &Op) -> Result<String, Errno> {
        match op {
            Op::Mkdir(..) | Op::Mknod(..) | Op::Symlink(..) | Op::Unlink(_) | Op::Rmdir(_) => {
                self.names(who, op)
            }
            Op::Link(..) | Op::LinkUnnamed(..) | Op::LinkUnlinked(_) | Op::Rename(..) | Op::Readlink(_) => {
                self.names(who, op)
            }
            Op::Chmod(..) | Op::Chown(..) | Op::Utimens(..) | Op::Access(..) | Op::Stat(..) => {
                self.attributes(who, op)
            }
            Op::SetXattr(..) | Op::GetXattr(..) | Op::RemoveXattr(..) | Op::ListXattr(_) => {
                self.attributes(who, op)
            }
            _ => self.bytes(who, op),
        }
    }

    fn names(&mut self, who: &Who<'_>, op: &Op) -> Result<String, Errno> {
        let start = self.start;
        match op {
            Op::Mkdir(path, mode) => self.vfs.mkdir(who, start, path.as_bytes(), *mode, self.now)?,
            Op::Mknod(path, mode) => {
                self.vfs.mknod(who, start, path.as_bytes(), *mode, 0, self.now)?;
            }
            Op::Symlink(target, path) => {
                self.vfs.symlink(who, target.as_bytes(), start, path.as_bytes(), self.now)?;
            }
            Op::Unlink(path) => self.vfs.unlink(who, start, path.as_bytes(), 0, self.now)?,
            Op::Rmdir(path) => self.vfs.unlink(who, start, path.as_bytes(), raw::AT_REMOVEDIR, self.now)?,
            Op::Link(from, to, follow) => {
                let node = self.find(who, from, if *follow { Follow::Yes } else { Follow::No })?;
                self.vfs.link(who, node, start, to.as_bytes(), self.now)?;
            }
            Op::LinkUnnamed(dir, to, exclusive) => {
                let exclusive = if *exclusive { raw::O_EXCL } else { 0 };
                let node = self.open(who, dir, raw::O_TMPFILE | raw::O_RDWR | exclusive, 0o600)?;
                self.vfs.hold(node, true);
                let outcome = self.vfs.link(who, node, start, to.as_bytes(), self.now);
                self.vfs.hold(node, false);
                outcome?;
            }
            Op::LinkUnlinked(path) => {
                let node = self.open(who, path, raw::O_CREAT | raw::O_EXCL | raw::O_RDWR, 0o600)?;
                self.vfs.hold(node, true);
                let unlinked = self.vfs.unlink(who, start, path.as_bytes(), 0, self.now);
                let outcome =
                    unlinked.and_then(|()| self.vfs.link(who, node, start, path.as_bytes(), self.now));
                self.vfs.hold(node, false);
                outcome?;
            }
            Op::Rename(from, to, flags) => {
                let (from, to) = ((start, from.as_bytes()), (start, to.as_bytes()));
                self.vfs.rename(who, from, to, *flags, self.now)?;
            }
            Op::Readlink(path) => {
                let target = {
                    let at = self.find(who, path, Follow::No)?;
                    self.vfs.readlink(&ROOT, self.vfs.root(), at)?
                };
                return Ok(String::from_utf8(target).unwrap());
            }
            other => unreachable!("{other:?}"),
        }
        Ok(String::new())
    }

    fn attributes(&mut self, who: &Who<'_>, op: &Op) -> Result<String, Errno> {
        let followed = |follow: bool| if follow { Follow::Yes } else { Follow::No };
        match op {
            Op::Chmod(path, mode) => {
                let at = self.find(who, path, Follow::Yes)?;
                self.vfs.chmod(who, at, *mode, self.now)?;
            }
            Op::Chown(path, uid, gid, follow) => {
                let at = self.find(who, path, followed(*follow))?;
                self.vfs.chown(who, at, *uid, *gid, self.now)?;
            }
            Op::Utimens(path, now) => {
                let at = self.find(who, path, Follow::Yes)?;
                let time = if *now { SetTime::Now } else { SetTime::To(5) };
                self.vfs.utimens(who, at, time, time, self.now)?;
            }
            Op::Access(path, mode) => {
                let at = self.find(who, path, Follow::Yes)?;
                self.vfs.access(who, at, *mode)?;
            }
            Op::Stat(path, follow) => return self.stat(self.find(who, path, followed(*follow))?),
            Op::SetXattr(path, name, len, flags) => {
                let at = self.find(who, path, Follow::Yes)?;
                self.vfs.set_xattr(who, at, name.as_bytes(), &vec![7; *len], *flags, self.now)?;
            }
            Op::GetXattr(path, name) => {
                let at = self.find(who, path, Follow::Yes)?;
                return Ok(format!("{:?}", self.vfs.xattr(who, at, name.as_bytes())?));
            }
            Op::RemoveXattr(path, name) => {
                let at = self.find(who, path, Follow::Yes)?;
                self.vfs.remove_xattr(who, at, name.as_bytes(), self.now)?;
            }
            Op::ListXattr(path) => {
                let at = self.find(who, path, Follow::Yes)?;
                return Ok(sorted_names(&self.vfs.xattrs(who, at)?));
            }
            other => unreachable!("{other:?}"),
        }
        Ok(String::new())
    }

    fn stat(&self, at: Location) -> Result<String, Errno> {
        let stat = self.vfs.stat(at)?;
        let (uid, gid, size) = (stat.st_uid, stat.st_gid, stat.st_size);
        Ok(format!("{:o} {} {uid} {gid} {size} {}", stat.st_mode, stat.st_nlink, stat.st_blocks))
    }

    fn bytes(&mut self, who: &Who<'_>, op: &Op) -> Result<String, Errno> {
        match op {
            Op::Open(path, flags, mode, resolve) => {
                let how = Opening { flags: *flags, mode: *mode, resolve: *resolve };
                let opened = self.vfs.open(who, self.start, path.as_bytes(), how, self.now)?;
                let writing = flags & raw::O_ACCMODE == raw::O_WRONLY && flags & raw::O_PATH == 0;
                if opened.kind == Kind::Fifo && writing {
                    // Nobody reads: the kernel crate says so.
                    return Err(Errno::ENXIO);
                }
                let stat = self.stat(opened.at)?;
                self.vfs.hold(opened.at, true);
                self.vfs.hold(opened.at, false);
                Ok(stat)
            }
            Op::Write(path, offset, bytes) => {
                let at = self.file(who, path, raw::O_WRONLY)?;
                Ok(self.vfs.write(who, at, *offset, bytes, self.now)?.to_string())
            }
            Op::Read(path) => {
                let at = self.file(who, path, raw::O_RDONLY)?;
                let mut bytes = vec![0; 30_000];
                let len = self.vfs.read(at, 0, &mut bytes, Some(self.now))?;
                Ok(format!("{:?}", &bytes[..len]))
            }
            Op::Truncate(path, size) => {
                let at = self.file(who, path, raw::O_WRONLY)?;
                self.vfs.set_size(who, at, *size, self.now)?;
                Ok(String::new())
            }
            Op::Allocate(path, mode, offset, len) => {
                let at = self.open(who, path, raw::O_RDWR, 0)?;
                self.vfs.allocate(who, at, *mode, (*offset, *len), self.now)?;
                Ok(String::new())
            }
            Op::Seek(path, offset, data) => {
                let at = self.file(who, path, raw::O_RDONLY)?;
                if self.vfs.attr(at)?.kind == Kind::Directory {
                    return Ok("directory".to_owned());
                }
                Ok(self.vfs.seek(at, *offset, *data)?.to_string())
            }
            Op::List(path) => {
                let at = self.open(who, path, raw::O_RDONLY | raw::O_DIRECTORY, 0)?;
                Ok(self.list(at).join(","))
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn list(&self, at: Location) -> Vec<String> {
        let mut names = Vec::new();
        let mut note = |_, _, kind: Kind, name: &[u8]| {
            names.push(format!("{} {}", String::from_utf8_lossy(name), kind.d_type()));
            true
        };
        self.vfs.read_dir(at, 0, &mut note).unwrap();
        names.sort();
        names
    }

    /// The whole tree: for each path what stat(2) says, and times of modification and change.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        self.branch(".", &mut tree);
        tree
    }

    fn branch(&self, path: &str, tree: &mut Tree) {
        let who = who(0);
        let Ok(at) = self.find(&who, path, Follow::No) else { return };
        let attr = self.vfs.attr(at).unwrap();
        let atime = if attr.kind == Kind::Regular { attr.atime } else { 0 };
        let times = [atime, attr.mtime, attr.ctime].map(i128::from);
        tree.insert(path.to_owned(), (self.stat(at).unwrap(), times));
        if attr.kind != Kind::Directory || self.vfs.access(&who, at, raw::R_OK).is_err() {
            return;
        }
        for name in self.list(at) {
            let name = name.split(' ').next().unwrap();
            if name != "." && name != ".." {
                self.branch(&format!("{path}/{name}"), tree);
            }
        }
    }
}

/// Names parted by NUL, in order.
pub(crate) fn sorted_names(list: &[u8]) -> String {
    let mut names: Vec<_> = list.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    names.sort();
    names.join(" ")
}
