//! writev(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::io::{self, Transfer};
use crate::socket::message::Buffers;
use crate::socket::transfer::{self, Message};
use crate::socket::Ancillary;

/// To a socket it is one message, as sendmsg(2) sends it.
pub(crate) fn writev(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let buffers = Buffers::of_readv(cx, cx.arg(1), cx.arg(2))?;
    if file.ops.socket().is_some() {
        let control = Ancillary::default();
        return transfer::send(cx, &file, &Message { buffers: &buffers, to: None, control: &control, flags: 0 });
    }
    io::write(cx, &file, &buffers, Transfer::POSITION)
}
