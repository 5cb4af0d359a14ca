//! ftruncate(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;

pub(crate) fn ftruncate(cx: &mut Cx<'_>) -> Answer {
    let size = i64::try_from(cx.arg(1)).map_err(|_| Errno::EINVAL)?;
    let file = cx.file(0)?;
    let at = file.ops.location().filter(|_| file.ops.kind() == FileKind::Regular).ok_or(Errno::EINVAL)?;
    // Not EBADF: ftruncate(2) says so of a file that is not open for writing.
    file.check_writes().map_err(|_| Errno::EINVAL)?;
    let now = cx.kernel.fs.vfs.attr(at)?.size;
    cx.kernel.check_growth(now, size.cast_unsigned())?;
    let tree = cx.tree()?;
    tree.vfs.set_size(&tree.who, at, size.cast_unsigned(), tree.now)?;
    Ok(0)
}
