//! mount_setattr(2).

use super::mount::is_written;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{
    AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, MS_NOATIME, MS_NODEV, MS_NODIRATIME,
    MS_NOEXEC, MS_NOSUID, MS_NOSYMFOLLOW, MS_PRIVATE, MS_RDONLY, MS_RELATIME, MS_STRICTATIME,
};
use vfs::Location;

/// `MOUNT_ATTR_SIZE_VER0`
const SIZE: u64 = 32;
const PAGE: u64 = 4096;
/// Flags of mount(2) by those of `struct mount_attr`.
const FLAGS: &[(u32, u32)] = &[
    (MOUNT_ATTR_RDONLY, MS_RDONLY),
    (MOUNT_ATTR_NOSUID, MS_NOSUID),
    (MOUNT_ATTR_NODEV, MS_NODEV),
    (MOUNT_ATTR_NOEXEC, MS_NOEXEC),
    (MOUNT_ATTR_NODIRATIME, MS_NODIRATIME),
    (MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW),
];
/// How access times are kept: a number, not bits.
const ATIME: u64 = MOUNT_ATTR__ATIME as u64;

/// What is to be changed.
#[derive(Clone, Copy)]
pub(super) struct Change {
    set: u32,
    clear: u32,
}

pub(crate) fn mount_setattr(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(2);
    if flags & !(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let change = read(cx, 3, 4)?;
    cx.check_rules()?;
    let Some(change) = change else { return Ok(0) };
    let at = cx.place(0, 1, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))?;
    apply(cx, at, change, flags & AT_RECURSIVE != 0)?;
    Ok(0)
}

/// `struct mount_attr` in these arguments; none: it changes nothing.
///
/// # Errors
/// `EINVAL`, `E2BIG`, as mount_setattr(2).
pub(super) fn read(cx: &Cx<'_>, at: usize, size: usize) -> Result<Option<Change>, Stop> {
    let (addr, size) = (cx.arg(at), cx.arg(size));
    if size > PAGE {
        return Err(Errno::E2BIG.into());
    }
    if size < SIZE {
        return Err(Errno::EINVAL.into());
    }
    let [set, clear, propagation, _]: [u64; 4] = cx.get(addr)?;
    if cx.call.mem.read(addr, size)?.iter().skip(32).any(|byte| *byte != 0) {
        return Err(Errno::E2BIG.into());
    }
    if (set, clear, propagation) == (0, 0, 0) {
        return Ok(None);
    }
    // Every mount is a private one.
    if propagation != 0 && propagation != u64::from(MS_PRIVATE) {
        return Err(Errno::EINVAL.into());
    }
    // To change how access times are kept, the old way must be cleared whole.
    if set & ATIME != 0 && clear & ATIME == 0 || clear & ATIME != 0 && clear & ATIME != ATIME {
        return Err(Errno::EINVAL.into());
    }
    let set_flags = flags_of(set).ok_or(Errno::EINVAL)?;
    let clear_flags = flags_of(clear & !ATIME).ok_or(Errno::EINVAL)? & !MS_RELATIME;
    let kept = clear & ATIME == 0;
    Ok(Some(Change {
        set: if kept { set_flags & !MS_RELATIME } else { set_flags },
        clear: if kept { clear_flags } else { clear_flags | MS_RELATIME | MS_NOATIME },
    }))
}

/// Changes a mount, and those in it if `recursive`.
///
/// # Errors
/// `EINVAL`: not the root of a mount. `EBUSY`: a file is open for writing where it becomes read-only.
pub(super) fn apply(cx: &mut Cx<'_>, at: Location, change: Change, recursive: bool) -> Result<(), Stop> {
    let written: Vec<Location> = match change.set & MS_RDONLY {
        0 => Vec::new(),
        _ => cx.kernel.files.iter().filter_map(|file| file.ops.location()).collect(),
    };
    let busy: Vec<Location> = written.into_iter().filter(|at| is_written(cx, *at, true)).collect();
    let changed = |flags: vfs::MountFlags| flags.changed(change.set, change.clear);
    let check = |root: Location, _| match busy.iter().any(|at| at.same_mount(&root)) {
        true => Err(Errno::EBUSY),
        false => Ok(()),
    };
    Ok(cx.kernel.fs.vfs.set_mount_flags(at, recursive, changed, check)?)
}

/// Flags of mount(2) for `MOUNT_ATTR_*`; none: unknown ones.
pub(super) fn flags_of(attributes: u64) -> Option<u32> {
    let known = FLAGS.iter().fold(ATIME, |known, (attribute, _)| known | u64::from(*attribute));
    if attributes & !known != 0 {
        return None;
    }
    let atime = match u32::try_from(attributes & ATIME).ok()? {
        0 => MS_RELATIME,
        MOUNT_ATTR_NOATIME => MS_NOATIME,
        MOUNT_ATTR_STRICTATIME => MS_STRICTATIME,
        _ => return None,
    };
    let named = FLAGS.iter().filter(|(attribute, _)| attributes & u64::from(*attribute) != 0);
    Some(named.fold(atime, |flags, (_, flag)| flags | flag))
}
