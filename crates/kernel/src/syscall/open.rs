//! open(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::openat::open_path;
use vfs::Opening;

pub(crate) fn open(cx: &mut Cx<'_>) -> Answer {
    let how = Opening { flags: cx.uint(1), mode: cx.uint(2), resolve: 0 };
    open_path(cx, None, 0, how)
}
