//! mount(2): a new tmpfs or proc, a directory shown again (MS_BIND), a mount moved (MS_MOVE) or with other flags (MS_REMOUNT).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use vfs::remote::ON_DRIVES;
use crate::proc::Proc;
use crate::sysfs::Sysfs;
use std::rc::Rc;
use abi::Errno;
use abi::raw::general::{
    MS_BIND, MS_MOVE, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT, MS_SHARED, MS_SILENT, MS_SLAVE, MS_UNBINDABLE, O_ACCMODE, O_RDONLY,
};
use vfs::pseudo::Pseudo;
use vfs::tmpfs::Tmpfs;
use vfs::remote::{self, MountSource, Remote, Source, Worker};
use vfs::{DriveInfo, FileSystem, Follow, Kind, Location, MountFlags, Start, Vfs};

/// How mounts see each other. There is one tree for all, so every mount is a private one.
const PROPAGATION: u32 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

pub(crate) fn mount(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(3);
    let new = flags & (PROPAGATION | MS_REMOUNT | MS_BIND | MS_MOVE) == 0;
    if new && cx.arg(2) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let (source, kind, options) = (string(cx, 0)?, string(cx, 2)?, string(cx, 4)?);
    let at = cx.lookup(None, 1, Follow::Yes)?;
    cx.check_rules()?;
    match flags {
        _ if flags & MS_REMOUNT != 0 => remount(cx, at, flags, &options),
        _ if flags & MS_BIND != 0 => bind(cx, flags),
        _ if flags & PROPAGATION != 0 => propagation(cx, at, flags),
        _ if flags & MS_MOVE != 0 => {
            let from = cx.lookup(None, 0, Follow::Yes)?;
            cx.kernel.fs.vfs.move_mount(from, at)?;
            Ok(0)
        }
        _ => mount_new(cx, at, (&source, &kind, &options), flags),
    }
}

/// A string that may be missing.
fn string(cx: &Cx<'_>, at: usize) -> Result<Vec<u8>, Stop> {
    if cx.arg(at) == 0 { Ok(Vec::new()) } else { cx.string(at) }
}

fn mount_new(cx: &mut Cx<'_>, at: Location, (source, kind, options): (&[u8], &[u8], &[u8]), flags: u32) -> Answer {
    one_more(cx)?;
    let fs = file_system(cx, (source, kind, options), flags & MS_RDONLY != 0)?;
    cx.kernel.fs.vfs.mount(fs, at, &shown(source), MountFlags::new(flags))?;
    Ok(0)
}

/// A source as the table of mounts shows it: a tab or newline would break the table.
pub(super) fn shown(source: &[u8]) -> String {
    match source {
        b"" => "none".to_owned(),
        source => String::from_utf8_lossy(source).replace(char::is_whitespace, "?"),
    }
}

/// A file system of some type from some source.
///
/// # Errors
/// As mount(2).
pub(super) fn file_system(
    cx: &mut Cx<'_>,
    (source, kind, options): (&[u8], &[u8], &[u8]),
    read_only: bool,
) -> Result<Box<dyn FileSystem>, Stop> {
    let who = &cx.process()?.who;
    let owner = (who.uid, who.gid);
    let now = cx.kernel.now.real_ns;
    Ok(match kind {
        b"tmpfs" => Box::new(Tmpfs::mounted(options, owner, now)?),
        b"proc" if options.is_empty() => Box::new(Pseudo::new(Proc::new(cx.kernel.processes.view.clone()), now)),
        b"sysfs" if options.is_empty() => {
            let processes = Rc::clone(&cx.kernel.processes.view);
            Box::new(Pseudo::new(Sysfs::new(Rc::clone(&cx.kernel.fs.shown), processes), now))
        }
        b"proc" | b"sysfs" => return Err(Errno::EINVAL.into()),
        b"overlay" => crate::overlay::open(cx, options)?,
        _ => Box::new(open(cx, source, (kind, options), read_only)?),
    })
}

/// Whether there is such a type (filesystems(5)).
pub(super) fn is_known(kind: &[u8]) -> bool {
    let elsewhere: [&[u8]; 6] = [b"tmpfs", b"proc", b"sysfs", b"overlay", b"dir", b"auto"];
    elsewhere.contains(&kind) || ON_DRIVES.iter().any(|known| known.as_bytes() == kind)
}

/// Opens a file system that the server has to do with: one on a drive, or a directory of the host.
fn open(
    cx: &mut Cx<'_>,
    source: &[u8],
    (kind, options): (&[u8], &[u8]),
    read_only: bool,
) -> Result<Remote, Stop> {
    let from = match kind {
        b"dir" => Source::Host(source.to_vec()),
        // That there is no such type is said before anything is asked of the source.
        kind if !is_known(kind) => return Err(Errno::ENODEV.into()),
        _ => Source::Drive(drive(cx, source, read_only)?),
    };
    let source = MountSource { from, kind: kind.to_vec(), options: options.to_vec(), read_only };
    Ok(remote::mount(&cx.kernel.exchange(), source)?)
}

/// The drive that a path names, with the prefix under which the caller sees our paths or without.
fn drive(cx: &mut Cx<'_>, path: &[u8], read_only: bool) -> Result<Worker, Stop> {
    let prefix = cx.process()?.prefix.clone();
    let start = Start { root: cx.process()?.root(), dir: cx.process()?.cwd() };
    let tree = cx.tree()?;
    let inside = path.strip_prefix(prefix.as_slice()).filter(|rest| !prefix.is_empty() && rest.starts_with(b"/"));
    let by_key = |path: &[u8]| tree.vfs.drive_at(path);
    // By its key, whatever may be mounted above /dev meanwhile.
    if let Some(info) = by_key(path).or_else(|| inside.and_then(by_key)) {
        return usable(tree.vfs, info, read_only);
    }
    let at = match tree.vfs.lookup(&tree.who, start, path, Follow::Yes) {
        Err(Errno::ENOENT) if let Some(inside) = inside => tree.vfs.lookup(&tree.who, start, inside, Follow::Yes)?,
        found => found?,
    };
    let attr = tree.vfs.attr(at)?;
    if attr.kind != Kind::Block {
        return Err(Errno::ENOTBLK.into());
    }
    let info = tree.vfs.drive(attr.rdev).ok_or(Errno::ENXIO)?;
    usable(tree.vfs, info, read_only)
}

/// That a drive can be mounted.
fn usable(vfs: &Vfs, info: &DriveInfo, read_only: bool) -> Result<Worker, Stop> {
    if info.read_only && !read_only {
        // mount(2): "attempted to mount a read-only device"; mount(8) tries again, read-only.
        return Err(Errno::EACCES.into());
    }
    if vfs.is_mounted_from(info.number) {
        return Err(Errno::EBUSY.into());
    }
    Ok(info.number)
}

/// With MS_REC the mounts below are shown too.
fn bind(cx: &mut Cx<'_>, flags: u32) -> Answer {
    one_more(cx)?;
    let (from, on) = (cx.lookup_point(0)?, cx.lookup_point(1)?);
    cx.kernel.fs.vfs.bind(&from, &on, flags & MS_REC != 0)?;
    Ok(0)
}

/// `fs.mount-max`.
///
/// # Errors
/// `ENOSPC`.
pub(super) fn one_more(cx: &Cx<'_>) -> Result<(), Errno> {
    if cx.kernel.fs.vfs.mount_count() >= cx.kernel.tunables.mount_max { Err(Errno::ENOSPC) } else { Ok(()) }
}

/// MS_PRIVATE is how it is already; the others would need a second tree.
fn propagation(cx: &mut Cx<'_>, at: Location, flags: u32) -> Answer {
    let private = flags & !(MS_REC | MS_SILENT) == MS_PRIVATE && cx.kernel.fs.vfs.is_mount_root(at);
    if private { Ok(0) } else { Err(Errno::EINVAL.into()) }
}

/// With MS_BIND only the mount's own flags change, else the file system's options too.
fn remount(cx: &mut Cx<'_>, at: Location, flags: u32, options: &[u8]) -> Answer {
    let only_mount = flags & MS_BIND != 0;
    if flags & MS_RDONLY != 0 && is_written(cx, at, only_mount) {
        return Err(Errno::EBUSY.into());
    }
    cx.kernel.fs.vfs.remount(at, flags, options, only_mount)?;
    Ok(0)
}

/// Whether a file of the mount (or of the file system, by whichever mount) is open for writing.
pub(super) fn is_written(cx: &Cx<'_>, at: Location, only_mount: bool) -> bool {
    cx.kernel.files.iter().any(|file| {
        let writes = file.flags.get() & O_ACCMODE != O_RDONLY && file.ops.kind() == crate::file::FileKind::Regular;
        let here = |place: Location| if only_mount { place.same_mount(&at) } else { place.key().0 == at.key().0 };
        writes && file.ops.location().is_some_and(here)
    })
}
