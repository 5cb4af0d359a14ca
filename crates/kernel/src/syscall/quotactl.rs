//! quotactl(2): of file systems without quotas.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use vfs::{Follow, Kind};

pub(crate) fn quotactl(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 1, Follow::Yes)?;
    let is_device = cx.kernel.fs.vfs.attr(at)?.kind == Kind::Block;
    Err(if is_device { Errno::ESRCH } else { Errno::ENOTBLK }.into())
}
