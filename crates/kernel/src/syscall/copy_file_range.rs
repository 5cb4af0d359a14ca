//! copy_file_range(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::call::Stop;
use crate::copy::{self, Place};
use crate::file::{FileKind, OpenFile};
use abi::Errno;
use abi::raw::general::O_APPEND;

pub(crate) fn copy_file_range(cx: &mut Cx<'_>) -> Answer {
    if cx.uint(5) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (from, to) = (cx.file(0)?, cx.file(2)?);
    for file in [&from, &to] {
        match file.ops.kind() {
            FileKind::Regular => {}
            FileKind::Directory => return Err(Errno::EISDIR.into()),
            _ => return Err(Errno::EINVAL.into()),
        }
    }
    from.check_reads()?;
    to.check_writes()?;
    if to.flags.get() & O_APPEND != 0 {
        return Err(Errno::EBADF.into());
    }
    let (source, target) = (Place::of_argument(cx, 1)?, Place::of_argument(cx, 3)?);
    let len = cx.arg(4);
    if source.offset(&from).checked_add(len).is_none() || target.offset(&to).checked_add(len).is_none() {
        return Err(Errno::EOVERFLOW.into());
    }
    // Up to the end, before anything is made of it (generic_copy_file_checks).
    let size = cx.kernel.fs.vfs.attr(from.ops.location().ok_or(Errno::EINVAL)?)?.size;
    let len = len.min(size.saturating_sub(source.offset(&from)));
    refuse_overlap(&from, source, &to, target, len)?;
    copy::copy(cx, (&from, source), (&to, target), len)
}

/// Within one file the two ranges must not overlap.
fn refuse_overlap(from: &OpenFile, source: Place, to: &OpenFile, target: Place, len: u64) -> Result<(), Stop> {
    let (start, end) = (source.offset(from), target.offset(to));
    let overlap = from.ops.location() == to.ops.location()
        && start < end.saturating_add(len)
        && end < start.saturating_add(len);
    if overlap { Err(Errno::EINVAL.into()) } else { Ok(()) }
}
