//! recvmsg(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::message::Header;
use crate::socket::transfer;

pub(crate) fn recvmsg(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    transfer::of(&file)?;
    let flags = cx.uint(2);
    let header = Header::read(cx, cx.arg(1))?;
    transfer::receive_message(cx, &file, &header, flags)
}
