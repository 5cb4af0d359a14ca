//! fallocate(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;
use abi::raw::general::{
    FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_ZERO_RANGE,
};

pub(crate) fn fallocate(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let (mode, offset, len) = (cx.uint(1), cx.arg(2).cast_signed(), cx.arg(3).cast_signed());
    if offset < 0 || len <= 0 {
        return Err(Errno::EINVAL.into());
    }
    check_mode(mode)?;
    file.check_writes()?;
    let at = file.ops.location().ok_or(match file.ops.kind() {
        FileKind::Pipe => Errno::ESPIPE,
        _ => Errno::ENODEV,
    })?;
    let range = (offset.cast_unsigned(), len.cast_unsigned());
    if mode & FALLOC_FL_KEEP_SIZE == 0 && file.ops.kind() == FileKind::Regular {
        let size = cx.kernel.fs.vfs.attr(at)?.size;
        cx.kernel.check_growth(size, range.0.saturating_add(range.1))?;
    }
    let tree = cx.tree()?;
    tree.vfs.allocate(&tree.who, at, mode, range, tree.now)?;
    Ok(0)
}

/// Of all modes one, which says whether it may leave the size (fs/open.c, vfs_fallocate).
fn check_mode(mode: u32) -> Result<(), Errno> {
    let keeps_size = mode & FALLOC_FL_KEEP_SIZE != 0;
    let known = match mode & !FALLOC_FL_KEEP_SIZE {
        0 | FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_ZERO_RANGE => true,
        FALLOC_FL_PUNCH_HOLE => keeps_size,
        FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE => !keeps_size,
        _ => false,
    };
    if known { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}
