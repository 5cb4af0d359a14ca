//! recvfrom(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::message::{AddressRoom, Buffers};
use crate::socket::transfer;

/// There is no room for control messages: descriptors that come with the message are lost, as with Linux.
pub(crate) fn recvfrom(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    transfer::of(&file)?;
    let room = AddressRoom::read_if_wanted(cx, cx.arg(4), cx.arg(5))?;
    let buffers = Buffers::one(cx.arg(1), cx.arg(2));
    let flags = cx.uint(3);
    let (value, got) = transfer::receive(cx, &file, &buffers, flags)?;
    // A stream has no addresses: Linux answers a length of 0 then.
    if let Some(room) = room {
        room.put(cx, &got.from.unwrap_or_default());
    }
    cx.kernel.drop_control(got.control);
    Ok(value)
}
