//! readlink(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use vfs::{Follow, Location};

pub(crate) fn readlink(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::No)?;
    put_target(cx, at, 1)
}

/// Writes where a link leads to the buffer in argument `buf`, whose size is in the next one.
pub(super) fn put_target(cx: &mut Cx<'_>, at: Location, buf: usize) -> Answer {
    let room = usize::try_from(cx.int(buf + 1)).ok().filter(|room| *room > 0).ok_or(Errno::EINVAL)?;
    let root = cx.process()?.root();
    let tree = cx.tree()?;
    let mut target = tree.vfs.readlink(&tree.who, root, at)?;
    let now = cx.kernel.now.real_ns;
    cx.kernel.fs.vfs.touch(at, now)?;
    target.truncate(room);
    let len = target.len() as u64;
    cx.call.mem.write(cx.arg(buf), target);
    Ok(len)
}
