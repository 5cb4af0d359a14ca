//! mknodat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::mknod::make_node;

pub(crate) fn mknodat(cx: &mut Cx<'_>) -> Answer {
    let (mode, dev) = (cx.uint(2), cx.uint(3));
    make_node(cx, Some(0), 1, mode, dev)
}
