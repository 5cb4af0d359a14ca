//! readv(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::io::{self, Transfer};
use crate::socket::message::Buffers;

pub(crate) fn readv(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let buffers = Buffers::of_readv(cx, cx.arg(1), cx.arg(2))?;
    io::read(cx, &file, &buffers, Transfer::POSITION)
}
