//! write(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::At;
use crate::socket::Direction;

/// Goes on until all is written, as Linux does for blocking files; a non-blocking one stops where it would wait.
pub(crate) fn write(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let (addr, len) = (cx.arg(1), cx.arg(2));
    loop {
        let done = cx.call.progress as u64;
        let data = cx.call.mem.read_some(addr.wrapping_add(done), len - done)?;
        let moved = file.ops.write(cx.kernel, &file, data, At::Position);
        match cx.or_wait(&file, Direction::Send, file.nonblock(), moved) {
            Ok(moved) => cx.call.progress += moved,
            Err(Stop::Errno(errno)) => return cx.sent_until(&file, done, errno),
            Err(stop) => return Err(stop),
        }
        if cx.call.progress as u64 >= len {
            return Ok(cx.call.progress as u64);
        }
    }
}
