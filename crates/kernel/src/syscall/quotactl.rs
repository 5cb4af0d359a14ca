//! quotactl(2): of file systems without quotas.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use vfs::{Follow, Kind};

// linux/quota.h
const MAXQUOTAS: u32 = 3;
const Q_SYNC: u32 = 0x80_0001;

pub(crate) fn quotactl(cx: &mut Cx<'_>) -> Answer {
    let (command, special) = (cx.uint(0), cx.arg(1));
    // The types: users, groups and projects.
    if command & 0xff >= MAXQUOTAS {
        return Err(Errno::EINVAL.into());
    }
    if special == 0 {
        // All file systems.
        return if command >> 8 == Q_SYNC { Ok(0) } else { Err(Errno::ENODEV.into()) };
    }
    let at = cx.lookup(None, 1, Follow::Yes)?;
    let is_device = cx.kernel.fs.vfs.attr(at)?.kind == Kind::Block;
    Err(if is_device { Errno::ESRCH } else { Errno::ENOTBLK }.into())
}
