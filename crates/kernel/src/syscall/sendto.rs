//! sendto(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::message::{Buffers, get_address};
use crate::socket::transfer::{self, Message};
use crate::socket::Ancillary;

pub(crate) fn sendto(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    transfer::of(&file)?;
    let buffers = Buffers::one(cx.arg(1), cx.arg(2));
    let to = match cx.arg(4) {
        0 => None,
        addr => Some(get_address(cx, addr, cx.uint(5))?),
    };
    let message =
        Message { buffers: &buffers, to: to.as_deref(), control: &Ancillary::default(), flags: cx.uint(3) };
    transfer::send(cx, &file, &message)
}
