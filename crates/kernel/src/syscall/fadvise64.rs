//! posix_fadvise(2): advice that memory has no use for.

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;

/// `POSIX_FADV_NOREUSE`, the highest.
const ADVICE_MAX: i32 = 5;

pub(crate) fn fadvise64(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    if file.ops.kind() == FileKind::Pipe {
        return Err(Errno::ESPIPE.into());
    }
    let negative = cx.arg(2).cast_signed() < 0;
    if negative || !(0..=ADVICE_MAX).contains(&cx.int(3)) { Err(Errno::EINVAL.into()) } else { Ok(0) }
}
