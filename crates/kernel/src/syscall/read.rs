//! read(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::io::{self, Transfer};
use crate::socket::message::Buffers;

pub(crate) fn read(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let buffer = Buffers::one(cx.arg(1), cx.arg(2));
    io::read(cx, &file, &buffer, Transfer::POSITION)
}
