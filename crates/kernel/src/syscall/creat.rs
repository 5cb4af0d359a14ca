//! creat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::openat::open_path;
use abi::raw::general::{O_CREAT, O_TRUNC, O_WRONLY};
use vfs::Opening;

pub(crate) fn creat(cx: &mut Cx<'_>) -> Answer {
    let how = Opening { flags: O_CREAT | O_WRONLY | O_TRUNC, mode: cx.uint(1), resolve: 0 };
    open_path(cx, None, 0, how)
}
