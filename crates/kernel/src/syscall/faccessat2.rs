//! faccessat2(2). Real and effective ids are the same here, so AT_EACCESS changes nothing.

use crate::call::Answer;
use crate::cx::Cx;
use crate::path::Named;
use super::access::check;
use abi::Errno;
use abi::raw::general::{AT_EACCESS, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};

pub(crate) fn faccessat2(cx: &mut Cx<'_>) -> Answer {
    let (mode, flags) = (cx.uint(2), cx.uint(3));
    if flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    match cx.named(0, 1, flags)? {
        Named::Place(at) => check(cx, at, mode),
        Named::File(_) if mode > 0o7 => Err(Errno::EINVAL.into()),
        Named::File(file) => {
            let inode = file.ops.nameless().ok_or(Errno::EOPNOTSUPP)?;
            inode.access(&cx.process()?.who, mode)?;
            Ok(0)
        }
    }
}
