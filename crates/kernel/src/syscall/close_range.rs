//! close_range(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::process::Descriptors;
use abi::Errno;

/// `linux/close_range.h`. Tables are never shared here, so there is nothing to unshare.
const UNSHARE: u32 = 2;
const CLOEXEC: u32 = 4;

pub(crate) fn close_range(cx: &mut Cx<'_>) -> Answer {
    let (first, last, flags) = (cx.uint(0), cx.uint(1), cx.uint(2));
    if flags & !(UNSHARE | CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL.into());
    }
    let process = cx.process()?;
    let strong = process.descriptors == Descriptors::Strong;
    let inside: Vec<u32> =
        process.fds.iter().map(|(fd, _)| fd).filter(|fd| (first..=last).contains(fd)).collect();
    let mut closed = Vec::new();
    for fd in inside {
        if flags & CLOEXEC == 0 {
            closed.push(process.fds.remove(fd)?);
        } else {
            process.fds.set_cloexec(fd, true)?;
        }
    }
    for file in closed.into_iter().filter(|_| strong) {
        cx.kernel.close_descriptor(cx.call.pid, file);
    }
    Ok(0)
}
