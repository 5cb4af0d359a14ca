//! fchown(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chown::set_owner;

pub(crate) fn fchown(cx: &mut Cx<'_>) -> Answer {
    let at = cx.place_of(0)?;
    set_owner(cx, at, 1)
}
