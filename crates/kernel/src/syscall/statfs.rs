//! statfs(2).

use crate::call::Answer;
use crate::cx::Cx;
use vfs::Follow;

pub(crate) fn statfs(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::Yes)?;
    let found = cx.kernel.fs.vfs.statfs(at)?;
    cx.put(cx.arg(1), &found);
    Ok(0)
}
