//! utime(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::times;
use vfs::Follow;

pub(crate) fn utime(cx: &mut Cx<'_>) -> Answer {
    let wanted = times::seconds(cx, cx.arg(1))?;
    let at = cx.lookup(None, 0, Follow::Yes)?;
    times::set(cx, at, wanted)
}
