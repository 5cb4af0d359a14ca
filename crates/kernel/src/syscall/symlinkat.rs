//! symlinkat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::symlink::make_link;

pub(crate) fn symlinkat(cx: &mut Cx<'_>) -> Answer {
    make_link(cx, Some(1), 2)
}
