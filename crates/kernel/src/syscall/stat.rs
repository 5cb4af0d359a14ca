//! stat(2).

use crate::call::Answer;
use crate::cx::Cx;
use vfs::Follow;

pub(crate) fn stat(cx: &mut Cx<'_>) -> Answer {
    stat_path(cx, Follow::Yes)
}

/// Describes what the path in the first argument leads to.
pub(super) fn stat_path(cx: &mut Cx<'_>, follow: Follow) -> Answer {
    let at = cx.lookup(None, 0, follow)?;
    let found = cx.kernel.fs.vfs.stat(at)?;
    cx.put(cx.arg(1), &found);
    Ok(0)
}
