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
    let (uid, gid) = self::ids(cx, ids);
    let tree = cx.tree()?;
    tree.vfs.chown(&tree.who, at, uid, gid, tree.now)?;
    Ok(0)
}

/// User and group in arguments `at` and the next one; none: stays.
pub(super) fn ids(cx: &Cx<'_>, at: usize) -> (Option<u32>, Option<u32>) {
    let id = |at| Some(cx.uint(at)).filter(|id| *id != u32::MAX);
    (id(at), id(at + 1))
}
