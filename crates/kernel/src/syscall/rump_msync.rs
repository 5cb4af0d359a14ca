//! `rump_msync(inode)`: what a program has stored into a mapping is to be kept.

use crate::call::Answer;
use crate::cx::Cx;

/// The server has put what it knows the memory by in the place of its inode.
pub(crate) fn rump_msync(cx: &mut Cx<'_>) -> Answer {
    let (memory, now) = (cx.arg(0), cx.kernel.now.real_ns);
    cx.kernel.fs.vfs.sync_shared(memory, now)?;
    Ok(0)
}
