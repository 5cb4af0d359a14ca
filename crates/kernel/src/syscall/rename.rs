//! rename(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::path::PathArg;

pub(crate) fn rename(cx: &mut Cx<'_>) -> Answer {
    let (from, to) = (cx.path(None, 0)?, cx.path(None, 1)?);
    move_name(cx, &from, &to, 0)
}

/// Moves a name as `RENAME_*` flags say.
pub(super) fn move_name(cx: &mut Cx<'_>, from: &PathArg, to: &PathArg, flags: u32) -> Answer {
    let tree = cx.tree()?;
    let moved =
        tree.vfs.rename(&tree.who, (from.start, &from.path), (to.start, &to.path), flags, tree.now)?;
    if let Some(moved) = moved {
        cx.kernel.files.rename(&moved);
    }
    Ok(0)
}
