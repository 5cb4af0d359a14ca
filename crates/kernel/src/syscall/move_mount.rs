//! move_mount(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{
    AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, MOVE_MOUNT_F_AUTOMOUNTS, MOVE_MOUNT_F_EMPTY_PATH,
    MOVE_MOUNT_F_SYMLINKS, MOVE_MOUNT_T_AUTOMOUNTS, MOVE_MOUNT_T_EMPTY_PATH, MOVE_MOUNT_T_SYMLINKS,
};

const KNOWN: u32 = MOVE_MOUNT_F_SYMLINKS
    | MOVE_MOUNT_F_AUTOMOUNTS
    | MOVE_MOUNT_F_EMPTY_PATH
    | MOVE_MOUNT_T_SYMLINKS
    | MOVE_MOUNT_T_AUTOMOUNTS
    | MOVE_MOUNT_T_EMPTY_PATH;

pub(crate) fn move_mount(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(4);
    cx.check_rules()?;
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL.into());
    }
    let how = |symlinks: u32, empty: u32| {
        let follow = if flags & symlinks != 0 { 0 } else { AT_SYMLINK_NOFOLLOW };
        if flags & empty != 0 { follow | AT_EMPTY_PATH } else { follow }
    };
    let from = cx.point(0, 1, how(MOVE_MOUNT_F_SYMLINKS, MOVE_MOUNT_F_EMPTY_PATH))?;
    let to = cx.point(2, 3, how(MOVE_MOUNT_T_SYMLINKS, MOVE_MOUNT_T_EMPTY_PATH))?;
    let vfs = &mut cx.kernel.fs.vfs;
    if vfs.is_nowhere(from.at) {
        vfs.attach(from.at, &to)?;
    } else {
        vfs.move_mount(from.at, to.at)?;
    }
    Ok(0)
}
