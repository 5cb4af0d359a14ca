//! readlinkat(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::path::Named;
use super::readlink::put_target;
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};

/// An empty path names the link that the descriptor was opened on with O_PATH and O_NOFOLLOW; nothing else can be named so.
pub(crate) fn readlinkat(cx: &mut Cx<'_>) -> Answer {
    let empty = cx.arg(1) == 0 || cx.string(1)?.is_empty();
    let Named::Place(at) = cx.named(0, 1, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)? else {
        return Err(Errno::ENOENT.into());
    };
    match put_target(cx, at, 2) {
        Err(Stop::Errno(Errno::EINVAL)) if empty => Err(Errno::ENOENT.into()),
        answer => answer,
    }
}
