//! dup(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::OpenFile;
use crate::process::Descriptors;
use abi::Errno;

/// More than this is above every RLIMIT_NOFILE.
const FDS_MAX: u32 = 1 << 20;

pub(crate) fn dup(cx: &mut Cx<'_>) -> Answer {
    let file = cx.any_file(0)?;
    duplicate(cx, &file, 0, false)
}

/// A further number for the file, not below `from`.
///
/// # Errors
/// `EINVAL`: `from` is too large. `EMFILE`.
pub(super) fn duplicate(cx: &mut Cx<'_>, file: &OpenFile, from: u32, cloexec: bool) -> Result<u64, Stop> {
    if from >= FDS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let process = cx.process()?;
    let fd = process.fds.insert(file.id, cloexec, from)?;
    if process.descriptors == Descriptors::Strong {
        cx.kernel.files.retain(file.id);
    }
    Ok(u64::from(fd))
}
