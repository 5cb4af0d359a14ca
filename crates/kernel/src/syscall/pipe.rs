//! pipe(2).

use super::pipe2::pipe_with;
use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn pipe(cx: &mut Cx<'_>) -> Answer {
    pipe_with(cx, 0)
}
