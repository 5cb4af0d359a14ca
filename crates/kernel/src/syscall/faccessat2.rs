//! faccessat2(2). Real and effective ids are the same here, so AT_EACCESS changes nothing.

use crate::call::Answer;
use crate::cx::Cx;
use super::access::check;
use abi::Errno;
use abi::raw::general::{AT_EACCESS, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};

pub(crate) fn faccessat2(cx: &mut Cx<'_>) -> Answer {
    let (mode, flags) = (cx.uint(2), cx.uint(3));
    if flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let at = cx.place(0, 1, flags)?;
    check(cx, at, mode)
}
