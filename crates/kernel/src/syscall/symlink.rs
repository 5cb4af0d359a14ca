//! symlink(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn symlink(cx: &mut Cx<'_>) -> Answer {
    make_link(cx, None, 1)
}

/// Makes a link to the string in the first argument.
pub(super) fn make_link(cx: &mut Cx<'_>, dir: Option<usize>, path: usize) -> Answer {
    let target = cx.string(0)?;
    let arg = cx.path(dir, path)?;
    let tree = cx.tree()?;
    tree.vfs.symlink(&tree.who, &target, arg.start, &arg.path, tree.now)?;
    Ok(0)
}
