//! lchown(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chown::set_owner;
use vfs::Follow;

pub(crate) fn lchown(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::No)?;
    set_owner(cx, at, 1)
}
