//! inotify_add_watch(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{IN_ALL_EVENTS, IN_DONT_FOLLOW, IN_MASK_ADD, IN_MASK_CREATE, IN_ONLYDIR, R_OK};
use vfs::{Follow, Kind};

pub(crate) fn inotify_add_watch(cx: &mut Cx<'_>) -> Answer {
    let mask = cx.uint(2);
    if mask & IN_ALL_EVENTS == 0 || mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
        return Err(Errno::EINVAL.into());
    }
    let object = cx.file(0)?.ops.inotify().ok_or(Errno::EINVAL)?;
    let follow = if mask & IN_DONT_FOLLOW == 0 { Follow::Yes } else { Follow::No };
    let at = cx.lookup(None, 1, follow)?;
    let tree = cx.tree()?;
    if mask & IN_ONLYDIR != 0 && tree.vfs.attr(at)?.kind != Kind::Directory {
        return Err(Errno::ENOTDIR.into());
    }
    tree.vfs.access(&tree.who, at, R_OK)?;
    let number = cx.kernel.watch(object, at, mask)?;
    Ok(u64::from(number.unsigned_abs()))
}
