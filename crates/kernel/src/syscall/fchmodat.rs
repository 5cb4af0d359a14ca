//! fchmodat(2), the call, which has no flags.

use crate::call::Answer;
use crate::cx::Cx;
use super::chmod::set_mode;
use vfs::Follow;

pub(crate) fn fchmodat(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(Some(0), 1, Follow::Yes)?;
    let mode = cx.uint(2);
    set_mode(cx, at, mode)
}
