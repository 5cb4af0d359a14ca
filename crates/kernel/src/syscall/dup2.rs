//! dup2(2).

use super::dup3::replace;
use crate::call::Answer;
use crate::cx::Cx;

/// Onto itself it does nothing.
pub(crate) fn dup2(cx: &mut Cx<'_>) -> Answer {
    let file = cx.any_file(0)?;
    if cx.uint(0) == cx.uint(1) {
        return Ok(u64::from(cx.uint(1)));
    }
    replace(cx, &file, false)
}
