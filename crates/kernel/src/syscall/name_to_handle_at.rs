//! name_to_handle_at(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW};
use vfs::HANDLE_TYPE;

/// `MAX_HANDLE_SZ`.
pub(super) const HANDLE_MAX: u32 = 128;
/// `AT_HANDLE_FID`: the handle need not be good for open_by_handle_at(2).
const AT_HANDLE_FID: u32 = 0x200;

pub(crate) fn name_to_handle_at(cx: &mut Cx<'_>) -> Answer {
    let (handle_at, mount_id_at, flags) = (cx.arg(2), cx.arg(3), cx.uint(4));
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let room: u32 = cx.get(handle_at)?;
    // Unlike most calls, this one follows only when asked to.
    let follow = if flags & AT_SYMLINK_FOLLOW != 0 { 0 } else { AT_SYMLINK_NOFOLLOW };
    let at = cx.place(0, 1, flags & AT_EMPTY_PATH | follow)?;
    let (handle, mount_id) = cx.kernel.fs.vfs.handle_of(at)?;
    if room > HANDLE_MAX {
        return Err(Errno::EINVAL.into());
    }
    let len = u32::try_from(handle.len()).map_err(|_| Errno::EOVERFLOW)?;
    cx.put(mount_id_at, &i32::try_from(mount_id).unwrap_or(i32::MAX));
    cx.put(handle_at, &len);
    if room < len {
        return Err(Errno::EOVERFLOW.into());
    }
    cx.put(handle_at.wrapping_add(4), &HANDLE_TYPE);
    cx.call.mem.write(handle_at.wrapping_add(8), handle);
    Ok(0)
}
