//! mkdir(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn mkdir(cx: &mut Cx<'_>) -> Answer {
    let mode = cx.uint(1);
    make_directory(cx, None, 0, mode)
}

pub(super) fn make_directory(cx: &mut Cx<'_>, dir: Option<usize>, path: usize, mode: u32) -> Answer {
    let arg = cx.path(dir, path)?;
    let tree = cx.tree()?;
    tree.vfs.mkdir(&tree.who, arg.start, &arg.path, mode, tree.now)?;
    Ok(0)
}
