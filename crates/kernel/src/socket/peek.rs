//! `SO_PEEK_OFF` (socket(7)): where `MSG_PEEK` begins in what waits, of streams.

use super::{Incoming, Socket};
use crate::Kernel;
use crate::call::Stop;
use crate::file::OpenFile;
use abi::Errno;
use abi::raw::general::{POLLHUP, POLLRDHUP};
use abi::raw::net::{MSG_OOB, MSG_PEEK, SO_PEEK_OFF, SOL_SOCKET};

/// [`Socket::receive`]; who looks goes on behind what it saw last, and what is taken moves that place back.
///
/// # Errors
/// As [`Socket::receive`]. `EAGAIN`: nothing is behind that place yet.
pub(super) fn receive(
    socket: &dyn Socket,
    k: &mut Kernel,
    file: &OpenFile,
    len: usize,
    flags: u32,
) -> Result<Incoming, Stop> {
    let set = socket.common().value(SOL_SOCKET, SO_PEEK_OFF);
    let Some(offset) = set.and_then(|offset| usize::try_from(offset).ok()).filter(|_| flags & MSG_OOB == 0)
    else {
        return socket.receive(k, file, len, flags);
    };
    if flags & MSG_PEEK == 0 {
        let got = socket.receive(k, file, len, flags)?;
        remember(socket, offset.saturating_sub(got.full_len));
        return Ok(got);
    }
    let mut got = socket.receive(k, file, len.saturating_add(offset), flags)?;
    let seen = got.full_len.saturating_sub(offset);
    let ended = u32::from(socket.poll(k)) & (POLLRDHUP | POLLHUP) != 0;
    if seen == 0 && len > 0 && !ended {
        return Err(Errno::EAGAIN.into());
    }
    got.data.drain(..offset.min(got.data.len()));
    got.full_len = seen;
    remember(socket, offset + seen);
    Ok(got)
}

fn remember(socket: &dyn Socket, offset: usize) {
    socket.common().remember(SOL_SOCKET, SO_PEEK_OFF, i32::try_from(offset).unwrap_or(i32::MAX));
}
