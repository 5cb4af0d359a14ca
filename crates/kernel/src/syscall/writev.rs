//! writev(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::{At, OpenFile};
use crate::socket::message::Buffers;
use crate::socket::transfer::{self, Message};
use crate::socket::{Ancillary, Direction};

/// To a socket it is one message, as sendmsg(2) sends it.
pub(crate) fn writev(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let buffers = Buffers::of_readv(cx, cx.arg(1), cx.arg(2))?;
    if file.ops.socket().is_some() {
        let control = Ancillary::default();
        return transfer::send(cx, &file, &Message { buffers: &buffers, to: None, control: &control, flags: 0 });
    }
    write_all(cx, &file, &buffers)
}

/// Goes on until all is written, as write(2) does.
fn write_all(cx: &mut Cx<'_>, file: &OpenFile, buffers: &Buffers) -> Answer {
    loop {
        let done = cx.call.progress as u64;
        let (addr, len) = buffers.locate(done);
        let data = cx.call.mem.read_some(addr, len)?;
        let moved = file.ops.write(cx.kernel, file, data, At::Position);
        match cx.or_wait(file, Direction::Send, file.nonblock(), moved) {
            Ok(moved) => cx.call.progress += moved,
            Err(Stop::Errno(errno)) => return cx.sent_until(file, done, errno),
            Err(stop) => return Err(stop),
        }
        if cx.call.progress as u64 >= buffers.len() {
            return Ok(cx.call.progress as u64);
        }
    }
}
