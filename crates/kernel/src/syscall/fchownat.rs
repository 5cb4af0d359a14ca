//! fchownat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chown::set_owner;
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};

pub(crate) fn fchownat(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(4);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let at = cx.place(0, 1, flags)?;
    set_owner(cx, at, 2)
}
