//! close(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::process::Descriptors;

/// Where a host descriptor keeps the file open, its last close is what closes it.
pub(crate) fn close(cx: &mut Cx<'_>) -> Answer {
    let fd = cx.uint(0);
    let process = cx.process()?;
    let closes = process.descriptors == Descriptors::Strong || process.fds.is_lone(fd)?;
    let file = process.fds.remove(fd)?;
    if closes {
        cx.kernel.close_descriptor(cx.call.pid, file);
    }
    Ok(0)
}
