//! sendmsg(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::OpenFile;
use crate::socket::message::{Header, get_address};
use crate::socket::transfer::{self, Message};
use crate::socket::control;

pub(crate) fn sendmsg(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    transfer::of(&file)?;
    let (addr, flags) = (cx.arg(1), cx.uint(2));
    send_header(cx, &file, addr, flags, transfer::send)
}

/// Sends the message whose `struct msghdr` is at `addr`.
pub(super) fn send_header(
    cx: &mut Cx<'_>,
    file: &OpenFile,
    addr: u64,
    flags: u32,
    send: fn(&mut Cx<'_>, &OpenFile, &Message<'_>) -> Answer,
) -> Answer {
    let header = Header::read(cx, addr)?;
    let to = match header.raw.msg_namelen {
        0 => None,
        len => Some(get_address(cx, header.raw.msg_name, len)?),
    };
    // What went with the first piece is not read again.
    let control = if cx.call.progress == 0 { control::read(cx, &header)? } else { Default::default() };
    send(cx, file, &Message { buffers: &header.buffers, to: to.as_deref(), control: &control, flags })
}
