//! openat(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::File;
use crate::file::device::Device;
use crate::file::directory::Directory;
use crate::file::drive::Drive;
use crate::file::fifo::Fifo;
use crate::file::path::PathOnly;
use crate::file::pipe::open_fifo;
use crate::file::regular::Regular;
use abi::Errno;
use abi::raw::general::{
    IN_OPEN, O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_LARGEFILE as LARGEFILE, O_NOCTTY, O_NOFOLLOW, O_PATH, O_RDONLY, O_TRUNC, RESOLVE_IN_ROOT,
};
use crate::sysfs;
use vfs::{Entry, Kind, Location, Opened, Opening};

/// What no open file keeps of the flags it was opened with (fs/open.c, do_dentry_open).
const NOT_KEPT: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/// What O_PATH leaves of the flags (open(2)).
pub(super) const WITH_PATH: u32 = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

pub(crate) fn openat(cx: &mut Cx<'_>) -> Answer {
    let how = Opening { flags: cx.uint(2), mode: cx.uint(3), resolve: 0 };
    open_path(cx, Some(0), 1, how)
}

/// Opens the path in argument `path`, relative to the directory in argument `dir` where there is one.
///
/// # Errors
/// As open(2).
pub(super) fn open_path(cx: &mut Cx<'_>, dir: Option<usize>, path: usize, mut how: Opening) -> Answer {
    if how.flags & O_PATH != 0 {
        how.flags &= WITH_PATH;
    }
    how.mode &= 0o7777;
    let mut arg = cx.path(dir, path)?;
    if let Some(at) = dir.filter(|_| how.resolve & u64::from(RESOLVE_IN_ROOT) != 0) {
        // Of absolute paths too.
        arg.start.dir = cx.directory(at)?;
    }
    let tree = cx.tree()?;
    let opened = tree.vfs.open(&tree.who, arg.start, &arg.path, how, tree.now)?;
    enter(cx, opened, how.flags)
}

/// The drive with this device number, opened.
fn drive(cx: &Cx<'_>, at: Location, rdev: u64, flags: u32) -> Result<Option<Drive>, Errno> {
    let Some(info) = cx.kernel.fs.vfs.drive(rdev) else { return Ok(None) };
    if info.read_only && flags & O_ACCMODE != O_RDONLY {
        return Err(Errno::EROFS);
    }
    // open(2): "if the block device is in use by the system (e.g., mounted), open() fails".
    if flags & O_EXCL != 0 && info.kind == Kind::Block && cx.kernel.fs.vfs.is_mounted_from(info.number) {
        return Err(Errno::EBUSY);
    }
    Ok(Some(Drive { at, rdev, size: info.size, read_only: info.read_only }))
}

/// Gives the caller a descriptor for what was opened.
pub(super) fn enter(cx: &mut Cx<'_>, opened: Opened, flags: u32) -> Answer {
    let Opened { at, kind, rdev, name } = opened;
    let (kept, cloexec) = (flags & !NOT_KEPT, flags & O_CLOEXEC != 0);
    let writes = flags & O_ACCMODE != O_RDONLY;
    let file: Box<dyn File> = match kind {
        _ if flags & O_PATH != 0 => {
            cx.kernel.fs.vfs.hold(at, true);
            let fd = cx.install(Box::new(PathOnly { at }), kept, cloexec, 0)?;
            return named(cx, fd, name);
        }
        Kind::Regular => match cx.kernel.fs.vfs.made_up(at) {
            Some((sysfs::NAME, ino)) => sysfs::open(at, ino, writes)?,
            Some((_, ino)) => cx.kernel.open_made(at, ino, writes)?,
            None => Box::new(Regular { at }),
        },
        Kind::Directory => Box::new(Directory { at }),
        Kind::Char | Kind::Block if let Some(drive) = drive(cx, at, rdev, flags)? => Box::new(drive),
        Kind::Char => {
            cx.kernel.fs.vfs.open_device(rdev)?;
            Box::new(Device { at })
        }
        Kind::Fifo => {
            let inode = cx.kernel.fs.vfs.stat(at)?;
            let (end, object) = open_fifo(cx, at.key(), inode, flags)?;
            cx.kernel.fs.vfs.hold(at, true);
            cx.kernel.fs.vfs.tell(at, name.as_ref(), IN_OPEN);
            let fd = cx.install_on(Box::new(Fifo { at, end }), kept | LARGEFILE, cloexec, 0, object)?;
            return named(cx, fd, name);
        }
        Kind::Block | Kind::Socket => return Err(Errno::ENXIO.into()),
        Kind::Symlink => return Err(Errno::ELOOP.into()),
    };
    cx.kernel.fs.vfs.hold(at, true);
    cx.kernel.fs.vfs.tell(at, name.as_ref(), IN_OPEN);
    let fd = cx.install(file, kept | LARGEFILE, cloexec, 0)?;
    named(cx, fd, name)
}

/// Notes by which name a file was opened.
fn named(cx: &mut Cx<'_>, fd: u64, name: Option<Entry>) -> Answer {
    let id = cx.process()?.fds.get(u32::try_from(fd).map_err(|_| Errno::EBADF)?)?;
    *cx.kernel.files.get(id)?.name.borrow_mut() = name;
    Ok(fd)
}
