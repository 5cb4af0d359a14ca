//! unlink(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn unlink(cx: &mut Cx<'_>) -> Answer {
    remove(cx, None, 0, 0)
}

/// Removes a name: a directory's if `flags` has AT_REMOVEDIR.
pub(super) fn remove(cx: &mut Cx<'_>, dir: Option<usize>, path: usize, flags: u32) -> Answer {
    let arg = cx.path(dir, path)?;
    let tree = cx.tree()?;
    tree.vfs.unlink(&tree.who, arg.start, &arg.path, flags, tree.now)?;
    Ok(0)
}
