//! fsync(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn fsync(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    file.ops.sync(cx.kernel)?;
    Ok(0)
}
