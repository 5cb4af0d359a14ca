//! truncate(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use vfs::Follow;

pub(crate) fn truncate(cx: &mut Cx<'_>) -> Answer {
    let size = i64::try_from(cx.arg(1)).ok().ok_or(Errno::EINVAL)?;
    let at = cx.lookup(None, 0, Follow::Yes)?;
    let tree = cx.tree()?;
    tree.vfs.truncate(&tree.who, at, size.cast_unsigned(), tree.now)?;
    Ok(0)
}
