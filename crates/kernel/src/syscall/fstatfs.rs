//! fstatfs(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;

pub(crate) fn fstatfs(cx: &mut Cx<'_>) -> Answer {
    let at = cx.any_file(0)?.ops.location().ok_or(Errno::ENOSYS)?;
    let found = cx.kernel.fs.vfs.statfs(at)?;
    cx.put(cx.arg(1), &found);
    Ok(0)
}
