//! preadv2(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::io::{self, Transfer};
use crate::socket::message::Buffers;

pub(crate) fn preadv2(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let how = Transfer::with_flags(cx)?;
    let buffers = Buffers::of_readv(cx, cx.arg(1), cx.arg(2))?;
    io::read(cx, &file, &buffers, how)
}
