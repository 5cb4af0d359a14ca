//! pwritev(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::io::{self, Transfer};
use crate::socket::message::Buffers;

pub(crate) fn pwritev(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let how = Transfer::at_offset(cx, 3)?;
    let buffers = Buffers::of_readv(cx, cx.arg(1), cx.arg(2))?;
    io::write(cx, &file, &buffers, how)
}
