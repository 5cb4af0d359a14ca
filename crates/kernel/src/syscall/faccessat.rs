//! faccessat(2), the call, which has no flags.

use crate::call::Answer;
use crate::cx::Cx;
use super::access::check;
use vfs::Follow;

pub(crate) fn faccessat(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(Some(0), 1, Follow::Yes)?;
    let mode = cx.uint(2);
    check(cx, at, mode)
}
