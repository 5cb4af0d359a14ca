//! link(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::path::PathArg;
use vfs::{Follow, Location};

pub(crate) fn link(cx: &mut Cx<'_>) -> Answer {
    let to = cx.path(None, 1)?;
    let node = cx.lookup(None, 0, Follow::No)?;
    enter(cx, node, &to)
}

/// Gives an inode one more name.
pub(super) fn enter(cx: &mut Cx<'_>, node: Location, to: &PathArg) -> Answer {
    let tree = cx.tree()?;
    tree.vfs.link(&tree.who, node, to.start, &to.path, tree.now)?;
    Ok(0)
}
