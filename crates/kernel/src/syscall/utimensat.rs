//! utimensat(2). A null path names what the descriptor is open on.

use crate::call::Answer;
use crate::cx::Cx;
use crate::times;
use abi::Errno;
use vfs::SetTime;
use abi::raw::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};

pub(crate) fn utimensat(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(3);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let wanted = times::timespecs(cx, cx.arg(2))?;
    // Before anything is looked up (fs/utimes.c).
    if wanted == [SetTime::Omit; 2] {
        return Ok(0);
    }
    let at = match cx.arg(1) {
        0 if cx.int(0) == AT_FDCWD => return Err(Errno::EFAULT.into()),
        0 if flags & AT_SYMLINK_NOFOLLOW != 0 => return Err(Errno::EINVAL.into()),
        0 => cx.place_of(0)?,
        _ => cx.place(0, 1, flags)?,
    };
    times::set(cx, at, wanted)
}
