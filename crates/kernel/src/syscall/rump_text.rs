//! `rump_text(fd)`: the process is about to run the program in this file, or, without a descriptor, is not after all.

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::{FileKind, OpenFile};
use abi::Errno;
use abi::raw::general::{O_ACCMODE, O_RDONLY};

pub(crate) fn rump_text(cx: &mut Cx<'_>) -> Answer {
    let pid = cx.call.pid;
    if cx.int(0) < 0 {
        cx.kernel.will_run(pid, None)?;
        return Ok(0);
    }
    let file = cx.any_file(0)?;
    let at = file.ops.location().ok_or(Errno::EACCES)?;
    let writes = |file: &OpenFile| {
        file.flags.get() & O_ACCMODE != O_RDONLY
            && file.ops.kind() == FileKind::Regular
            && file.ops.location().is_some_and(|place| place.key() == at.key())
    };
    if cx.kernel.files.iter().any(|file| writes(&file)) {
        return Err(Errno::ETXTBSY.into());
    }
    cx.kernel.will_run(pid, Some(at))?;
    Ok(0)
}
