//! mknod(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn mknod(cx: &mut Cx<'_>) -> Answer {
    let (mode, dev) = (cx.uint(1), cx.uint(2));
    make_node(cx, None, 0, mode, dev)
}

pub(super) fn make_node(cx: &mut Cx<'_>, dir: Option<usize>, path: usize, mode: u32, dev: u32) -> Answer {
    let arg = cx.path(dir, path)?;
    let tree = cx.tree()?;
    tree.vfs.mknod(&tree.who, arg.start, &arg.path, mode, u64::from(dev), tree.now)?;
    Ok(0)
}
