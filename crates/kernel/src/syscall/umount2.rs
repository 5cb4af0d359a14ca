//! umount2(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{MNT_DETACH, MNT_EXPIRE, MNT_FORCE, UMOUNT_NOFOLLOW};
use vfs::Follow;

pub(crate) fn umount2(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(1);
    let expire = flags & MNT_EXPIRE != 0;
    if flags & !(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW) != 0
        || expire && flags & (MNT_FORCE | MNT_DETACH) != 0
    {
        return Err(Errno::EINVAL.into());
    }
    let follow = if flags & UMOUNT_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
    let at = cx.lookup(None, 0, follow)?;
    cx.check_rules()?;
    let vfs = &mut cx.kernel.fs.vfs;
    match flags {
        _ if expire => vfs.expire(at)?,
        _ if flags & MNT_DETACH != 0 => vfs.detach(at)?,
        _ => vfs.umount(at)?,
    }
    Ok(0)
}
