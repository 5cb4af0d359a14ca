//! open_tree(2): a place, or a copy of the mounts there that move_mount(2) puts elsewhere.

use super::mount::one_more;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::mounted::Mounted;
use crate::file::path::PathOnly;
use abi::Errno;
use abi::raw::general::{
    AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_PATH, OPEN_TREE_CLONE,
};
use vfs::Location;

const KNOWN: u32 =
    AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE | O_CLOEXEC;

pub(crate) fn open_tree(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(2);
    let at = find(cx, flags)?;
    install(cx, at, flags)
}

/// What is to be opened: a copy is made if the flags say so. Nobody holds it yet.
///
/// # Errors
/// As open_tree(2).
pub(super) fn find(cx: &mut Cx<'_>, flags: u32) -> Result<Location, Stop> {
    let clone = flags & OPEN_TREE_CLONE != 0;
    if flags & !KNOWN != 0 || flags & (AT_RECURSIVE | OPEN_TREE_CLONE) == AT_RECURSIVE {
        return Err(Errno::EINVAL.into());
    }
    if clone {
        cx.check_rules()?;
        one_more(cx)?;
    }
    let point = cx.point(0, 1, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))?;
    if !clone {
        return Ok(point.at);
    }
    Ok(cx.kernel.fs.vfs.copy_nowhere(&point, flags & AT_RECURSIVE != 0)?)
}

/// Gives the caller a descriptor of it.
pub(super) fn install(cx: &mut Cx<'_>, at: Location, flags: u32) -> Answer {
    cx.kernel.fs.vfs.hold(at, true);
    let cloexec = flags & O_CLOEXEC != 0;
    match flags & OPEN_TREE_CLONE {
        0 => cx.install(Box::new(PathOnly { at }), O_PATH, cloexec, 0),
        _ => cx.install(Box::new(Mounted::new(at)), O_PATH, cloexec, 0),
    }
}
