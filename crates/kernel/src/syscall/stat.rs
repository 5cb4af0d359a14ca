//! stat(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::path::Named;
use vfs::Follow;

pub(crate) fn stat(cx: &mut Cx<'_>) -> Answer {
    stat_path(cx, Follow::Yes)
}

/// Describes what the path in the first argument leads to.
pub(super) fn stat_path(cx: &mut Cx<'_>, follow: Follow) -> Answer {
    let found = match cx.found(None, 0, follow)? {
        Named::Place(at) => cx.kernel.fs.vfs.stat(at)?,
        Named::File(file) => file.ops.stat(cx.kernel, &file)?,
    };
    cx.put(cx.arg(1), &found);
    Ok(0)
}
