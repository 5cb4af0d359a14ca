//! readlinkat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::readlink::put_target;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};

/// An empty path names the link that the descriptor was opened on with O_PATH and O_NOFOLLOW.
pub(crate) fn readlinkat(cx: &mut Cx<'_>) -> Answer {
    let at = cx.place(0, 1, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)?;
    put_target(cx, at, 2)
}
