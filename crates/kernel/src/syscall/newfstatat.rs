//! fstatat(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::path::Named;
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW};

pub(crate) fn newfstatat(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(3);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let found = match cx.named(0, 1, flags)? {
        Named::Place(at) => cx.kernel.fs.vfs.stat(at)?,
        Named::File(file) => file.ops.stat(cx.kernel, &file)?,
    };
    cx.put(cx.arg(2), &found);
    Ok(0)
}
