//! fspick(2): the file system that is mounted somewhere, to be given other options.

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::fscontext::{Context, FsContext, Phase};
use abi::Errno;
use abi::raw::general::{
    AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, FSPICK_CLOEXEC, FSPICK_EMPTY_PATH, FSPICK_NO_AUTOMOUNT,
    FSPICK_SYMLINK_NOFOLLOW, O_RDWR,
};
use std::cell::RefCell;

pub(crate) fn fspick(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(2);
    cx.check_rules()?;
    let known = FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH;
    if flags & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let follow = if flags & FSPICK_SYMLINK_NOFOLLOW != 0 { AT_SYMLINK_NOFOLLOW } else { 0 };
    let empty = if flags & FSPICK_EMPTY_PATH != 0 { AT_EMPTY_PATH } else { 0 };
    let at = cx.place(0, 1, follow | empty)?;
    let vfs = &mut cx.kernel.fs.vfs;
    if !vfs.is_mount_root(at) {
        return Err(Errno::EINVAL.into());
    }
    vfs.hold(at, true);
    let context = Context::new(Phase::Mounted(at), b"reconfigure".to_vec());
    cx.install(Box::new(FsContext(RefCell::new(context))), O_RDWR, flags & FSPICK_CLOEXEC != 0, 0)
}
