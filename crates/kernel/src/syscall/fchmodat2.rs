//! fchmodat2(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chmod::set_mode;
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};

pub(crate) fn fchmodat2(cx: &mut Cx<'_>) -> Answer {
    let (mode, flags) = (cx.uint(2), cx.uint(3));
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let at = cx.place(0, 1, flags)?;
    set_mode(cx, at, mode)
}
