//! renameat2(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::rename::move_name;

pub(crate) fn renameat2(cx: &mut Cx<'_>) -> Answer {
    let (from, to) = (cx.path(Some(0), 1)?, cx.path(Some(2), 3)?);
    let flags = cx.uint(4);
    move_name(cx, &from, &to, flags)
}
