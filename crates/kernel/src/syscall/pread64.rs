//! pread(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::io::{self, Transfer};
use crate::socket::message::Buffers;

pub(crate) fn pread64(cx: &mut Cx<'_>) -> Answer {
    // In this order: fs/read_write.c, ksys_pread64.
    let how = Transfer::at_offset(cx, 3)?;
    let file = cx.file(0)?;
    let buffers = Buffers::one(cx.arg(1), cx.arg(2));
    io::read(cx, &file, &buffers, how)
}
