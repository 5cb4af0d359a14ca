//! dup3(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::OpenFile;
use crate::process::Descriptors;
use abi::Errno;
use abi::raw::general::O_CLOEXEC;

pub(crate) fn dup3(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(2);
    if flags & !O_CLOEXEC != 0 || cx.uint(0) == cx.uint(1) {
        return Err(Errno::EINVAL.into());
    }
    let file = cx.any_file(0)?;
    replace(cx, &file, flags & O_CLOEXEC != 0)
}

/// Makes the number in the second argument one of the file's; what it was before is closed.
pub(super) fn replace(cx: &mut Cx<'_>, file: &OpenFile, cloexec: bool) -> Answer {
    let fd = cx.uint(1);
    let process = cx.process()?;
    let before = process.fds.replace(fd, file.id, cloexec)?;
    if process.descriptors == Descriptors::Strong {
        cx.kernel.files.retain(file.id);
        if let Some(before) = before {
            cx.kernel.close_descriptor(cx.call.pid, before);
        }
    }
    Ok(u64::from(fd))
}
