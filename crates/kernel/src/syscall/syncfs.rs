//! syncfs(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn syncfs(cx: &mut Cx<'_>) -> Answer {
    let at = cx.file(0)?.ops.location();
    if let Some(at) = at {
        cx.kernel.fs.vfs.sync_fs(at)?;
    }
    Ok(0)
}
