//! close(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::process::Descriptors;

/// Where host descriptors keep files open, their last close is what closes the file.
pub(crate) fn close(cx: &mut Cx<'_>) -> Answer {
    let fd = cx.uint(0);
    let process = cx.process()?;
    let file = process.fds.remove(fd)?;
    if process.descriptors == Descriptors::Strong {
        cx.kernel.close_descriptor(cx.call.pid, file);
    }
    Ok(0)
}
