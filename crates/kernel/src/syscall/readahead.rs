//! readahead(2): advice that memory has no use for.

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;

pub(crate) fn readahead(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    file.check_reads()?;
    if file.ops.kind() == FileKind::Regular { Ok(0) } else { Err(Errno::EINVAL.into()) }
}
