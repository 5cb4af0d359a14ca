//! mkdirat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::mkdir::make_directory;

pub(crate) fn mkdirat(cx: &mut Cx<'_>) -> Answer {
    let mode = cx.uint(2);
    make_directory(cx, Some(0), 1, mode)
}
