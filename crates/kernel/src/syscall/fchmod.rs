//! fchmod(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chmod::set_mode;

pub(crate) fn fchmod(cx: &mut Cx<'_>) -> Answer {
    let at = cx.place_of(0)?;
    let mode = cx.uint(1);
    set_mode(cx, at, mode)
}
