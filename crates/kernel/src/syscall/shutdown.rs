//! shutdown(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::{How, transfer};
use abi::Errno;

pub(crate) fn shutdown(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    // SHUT_RD, SHUT_WR, SHUT_RDWR.
    let how = match cx.int(1) {
        0 => How { receive: true, send: false },
        1 => How { receive: false, send: true },
        2 => How { receive: true, send: true },
        _ => return Err(Errno::EINVAL.into()),
    };
    socket.shutdown(cx.kernel, &file, how)?;
    Ok(0)
}
