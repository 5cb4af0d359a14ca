//! pipe2(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::pipe;
use abi::Errno;
use abi::raw::general::{O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY};

/// What the `flags` may be. O_DIRECT (packets) is refused as a kernel without it does.
const FLAGS: u32 = O_CLOEXEC | O_NONBLOCK;

pub(crate) fn pipe2(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(1);
    pipe_with(cx, flags)
}

/// Makes a pipe; its two descriptors go to the array that the first argument points to.
pub(super) fn pipe_with(cx: &mut Cx<'_>, flags: u32) -> Answer {
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    let addr = cx.arg(0);
    if addr == 0 {
        return Err(Errno::EFAULT.into());
    }
    let [(reader, read), (writer, write)] = pipe::pair(cx.kernel);
    let (nonblock, cloexec) = (flags & O_NONBLOCK, flags & O_CLOEXEC != 0);
    cx.install_on(Box::new(reader), O_RDONLY | nonblock, cloexec, addr, read)?;
    cx.install_on(Box::new(writer), O_WRONLY | nonblock, cloexec, addr.wrapping_add(4), write)?;
    Ok(0)
}
