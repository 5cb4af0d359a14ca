//! fsync(2), as sync(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;

pub(crate) fn fsync(cx: &mut Cx<'_>) -> Answer {
    // What has no place in a file system cannot be synchronized; nor can a FIFO (fsync(2)).
    let synced = matches!(cx.file(0)?.ops.kind(), FileKind::Regular | FileKind::Directory);
    if synced { Ok(0) } else { Err(Errno::EINVAL.into()) }
}
