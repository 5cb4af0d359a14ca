//! futimesat(2). A null path names what the descriptor is open on.

use crate::call::Answer;
use crate::cx::Cx;
use crate::times;
use vfs::Follow;

pub(crate) fn futimesat(cx: &mut Cx<'_>) -> Answer {
    let wanted = times::timevals(cx, cx.arg(2))?;
    let at = if cx.arg(1) == 0 { cx.place_of(0)? } else { cx.lookup(Some(0), 1, Follow::Yes)? };
    times::set(cx, at, wanted)
}
