//! fstat(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn fstat(cx: &mut Cx<'_>) -> Answer {
    let file = cx.any_file(0)?;
    let found = file.ops.stat(cx.kernel, &file)?;
    cx.put(cx.arg(1), &found);
    Ok(0)
}
