//! access(2).

use crate::call::Answer;
use crate::cx::Cx;
use vfs::{Follow, Location};

pub(crate) fn access(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::Yes)?;
    let mode = cx.uint(1);
    check(cx, at, mode)
}

/// Whether the caller may do what `mode` says.
pub(super) fn check(cx: &mut Cx<'_>, at: Location, mode: u32) -> Answer {
    let tree = cx.tree()?;
    tree.vfs.access(&tree.who, at, mode)?;
    Ok(0)
}
