//! truncate(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use vfs::{Follow, Kind};

pub(crate) fn truncate(cx: &mut Cx<'_>) -> Answer {
    let size = i64::try_from(cx.arg(1)).ok().ok_or(Errno::EINVAL)?;
    let at = cx.lookup(None, 0, Follow::Yes)?;
    let now = cx.kernel.fs.vfs.attr(at)?;
    if now.kind == Kind::Regular {
        cx.kernel.check_growth(now.size, size.cast_unsigned())?;
    }
    let tree = cx.tree()?;
    tree.vfs.truncate(&tree.who, at, size.cast_unsigned(), tree.now)?;
    Ok(0)
}
