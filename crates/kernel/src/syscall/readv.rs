//! readv(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::At;
use crate::socket::Direction;
use crate::socket::message::Buffers;

/// The most that one call moves; a shorter transfer than asked for is allowed by read(2).
const READ_MAX: u64 = 1 << 20;

pub(crate) fn readv(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let buffers = Buffers::of_readv(cx, cx.arg(1), cx.arg(2))?;
    let len = buffers.len().min(READ_MAX);
    let mut buf = vec![0; usize::try_from(len).unwrap_or(0)];
    let moved = file.ops.read(cx.kernel, &file, &mut buf, At::Position);
    let moved = cx.or_wait(&file, Direction::Receive, file.nonblock(), moved)?;
    buffers.scatter(cx, 0, &buf[..moved]);
    Ok(moved as u64)
}
