//! getpeername(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::message::AddressRoom;
use crate::socket::transfer;

pub(crate) fn getpeername(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    let room = AddressRoom::read(cx, cx.arg(1), cx.arg(2))?;
    let address = socket.peer(cx.kernel)?;
    room.put(cx, &address);
    Ok(0)
}
