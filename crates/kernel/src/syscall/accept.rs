//! accept(2).

use super::accept4::accept_with;
use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn accept(cx: &mut Cx<'_>) -> Answer {
    accept_with(cx, 0)
}
