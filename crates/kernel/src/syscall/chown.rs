//! chown(2).

use crate::call::Answer;
use crate::cx::Cx;
use vfs::{Follow, Location};

pub(crate) fn chown(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::Yes)?;
    set_owner(cx, at, 1)
}

/// Sets user and group to arguments `ids` and the next one; -1: stays.
pub(super) fn set_owner(cx: &mut Cx<'_>, at: Location, ids: usize) -> Answer {
    let id = |at| Some(cx.uint(at)).filter(|id| *id != u32::MAX);
    let (uid, gid) = (id(ids), id(ids + 1));
    let tree = cx.tree()?;
    tree.vfs.chown(&tree.who, at, uid, gid, tree.now)?;
    Ok(0)
}
