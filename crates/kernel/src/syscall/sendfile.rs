//! sendfile(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::copy::{self, Place};
use crate::file::{At, FileKind};
use abi::Errno;
use abi::raw::general::O_APPEND;

pub(crate) fn sendfile(cx: &mut Cx<'_>) -> Answer {
    let (to, from) = (cx.file(0)?, cx.file(1)?);
    from.check_reads()?;
    to.check_writes()?;
    if from.ops.kind() != FileKind::Regular {
        return Err(Errno::EINVAL.into());
    }
    if to.flags.get() & O_APPEND != 0 {
        return Err(Errno::EINVAL.into());
    }
    let source = Place::of_argument(cx, 2)?;
    let target = Place { at: At::Position, addr: 0 };
    copy::copy(cx, (&from, source), (&to, target), cx.arg(3))
}
