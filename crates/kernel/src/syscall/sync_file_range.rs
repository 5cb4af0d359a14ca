//! sync_file_range(2), as sync(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;

/// `SYNC_FILE_RANGE_*`.
const FLAGS: u32 = 7;

pub(crate) fn sync_file_range(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let (offset, len) = (cx.arg(1).cast_signed(), cx.arg(2).cast_signed());
    if cx.uint(3) & !FLAGS != 0 || offset < 0 || len < 0 || offset.checked_add(len).is_none() {
        return Err(Errno::EINVAL.into());
    }
    match file.ops.kind() {
        FileKind::Regular | FileKind::Directory | FileKind::Device => Ok(0),
        _ => Err(Errno::ESPIPE.into()),
    }
}
