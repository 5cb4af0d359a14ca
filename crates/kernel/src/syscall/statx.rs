//! statx(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::path::Named;
use abi::Errno;
use abi::raw::general::{
    AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW, STATX__RESERVED,
};

const FLAGS: u32 = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;

pub(crate) fn statx(cx: &mut Cx<'_>) -> Answer {
    let (flags, mask) = (cx.uint(2), cx.uint(3));
    if flags & !FLAGS != 0 || flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE || mask & STATX__RESERVED != 0 {
        return Err(Errno::EINVAL.into());
    }
    let found = match cx.named(0, 1, flags)? {
        Named::Place(at) => cx.kernel.fs.vfs.statx(at)?,
        Named::File(file) => vfs::statx_of(&file.ops.stat(cx.kernel, &file)?),
    };
    cx.put(cx.arg(4), &found);
    Ok(0)
}
