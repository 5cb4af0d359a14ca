//! sync(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn sync(cx: &mut Cx<'_>) -> Answer {
    cx.kernel.fs.vfs.sync_all()?;
    Ok(0)
}
