//! open_tree_attr(2): open_tree(2) and mount_setattr(2) in one.

use super::mount_setattr::{apply, read};
use super::open_tree::{find, install};
use crate::call::Answer;
use crate::cx::Cx;
use abi::raw::general::{AT_RECURSIVE, OPEN_TREE_CLONE};

pub(crate) fn open_tree_attr(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(2);
    let change = if cx.arg(3) == 0 { None } else { read(cx, 3, 4)? };
    let at = find(cx, flags)?;
    if let Some(change) = change
        && let Err(stop) = cx.check_rules().and_then(|()| apply(cx, at, change, flags & AT_RECURSIVE != 0))
    {
        if flags & OPEN_TREE_CLONE != 0 {
            let vfs = &mut cx.kernel.fs.vfs;
            vfs.hold(at, true);
            vfs.dissolve(at);
            vfs.hold(at, false);
        }
        return Err(stop);
    }
    install(cx, at, flags)
}
