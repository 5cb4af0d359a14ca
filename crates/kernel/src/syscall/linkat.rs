//! linkat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::link::enter;
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW};

pub(crate) fn linkat(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(4);
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let to = cx.path(Some(2), 3)?;
    // Here it is following that is asked for.
    let follow = if flags & AT_SYMLINK_FOLLOW != 0 { 0 } else { AT_SYMLINK_NOFOLLOW };
    let node = cx.place(0, 1, follow | (flags & AT_EMPTY_PATH))?;
    enter(cx, node, &to)
}
