//! fchownat(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::path::Named;
use super::chown::{ids, set_owner};
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};

pub(crate) fn fchownat(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(4);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    match cx.named(0, 1, flags)? {
        Named::Place(at) => set_owner(cx, at, 2),
        Named::File(file) => {
            let (uid, gid) = ids(cx, 2);
            let inode = file.ops.nameless().ok_or(Errno::EOPNOTSUPP)?;
            inode.chown(&cx.process()?.who, uid, gid)?;
            Ok(0)
        }
    }
}
