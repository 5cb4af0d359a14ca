//! chmod(2).

use crate::call::Answer;
use crate::cx::Cx;
use vfs::{Follow, Location};

pub(crate) fn chmod(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::Yes)?;
    let mode = cx.uint(1);
    set_mode(cx, at, mode)
}

pub(super) fn set_mode(cx: &mut Cx<'_>, at: Location, mode: u32) -> Answer {
    let tree = cx.tree()?;
    tree.vfs.chmod(&tree.who, at, mode, tree.now)?;
    Ok(0)
}
