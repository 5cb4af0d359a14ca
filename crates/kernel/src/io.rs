//! Moving bytes between the caller's buffers and open files: what read(2), write(2) and their variants share.

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::{At, OpenFile};
use crate::socket::Direction;
use crate::socket::message::Buffers;
use abi::Errno;
use abi::private::READ_MAX;
use abi::raw::general::{RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC};

/// Up to this length cleared memory costs less than a copy.
const CLEARED_MAX: usize = 16 << 10;

/// Where a transfer takes place and whether it may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) at: At,
    pub(crate) nonblock: bool,
}

impl Transfer {
    /// At the file's position.
    pub(crate) const POSITION: Self = Self { at: At::Position, nonblock: false };

    /// At the offset in argument `at`.
    ///
    /// # Errors
    /// `EINVAL`: negative.
    pub(crate) fn at_offset(cx: &Cx<'_>, at: usize) -> Result<Self, Stop> {
        let offset = cx.arg(at);
        i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        Ok(Self { at: At::Offset(offset), nonblock: false })
    }

    /// As preadv2(2) and pwritev2(2) say: offset in argument 3, -1 for the file's position; `RWF_*` flags in argument 5.
    ///
    /// # Errors
    /// `EINVAL`: a negative offset. `EOPNOTSUPP`: an unknown flag.
    pub(crate) fn with_flags(cx: &Cx<'_>) -> Result<Self, Stop> {
        let flags = cx.uint(5);
        if flags & !(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND) != 0 {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let mut transfer = match cx.arg(3) {
            u64::MAX => Self::POSITION,
            _ => Self::at_offset(cx, 3)?,
        };
        if flags & RWF_APPEND != 0 {
            transfer.at = At::End;
        }
        transfer.nonblock = flags & RWF_NOWAIT != 0;
        Ok(transfer)
    }
}

/// Reads into the caller's buffers.
///
/// # Errors
/// As read(2).
pub(crate) fn read(cx: &mut Cx<'_>, file: &OpenFile, buffers: &Buffers, how: Transfer) -> Answer {
    let len = usize::try_from(buffers.len().min(READ_MAX)).unwrap_or(0);
    let data = read_bytes(cx, file, len, how.at);
    let data = cx.or_wait(file, Direction::Receive, file.nonblock() || how.nonblock, data)?;
    let moved = data.len() as u64;
    buffers.scatter(cx, 0, data);
    Ok(moved)
}

/// Reads up to `len` bytes. Programs ask for far more than there is: many bytes are read into memory that is at hand, not
/// into some that has to be cleared.
fn read_bytes(cx: &mut Cx<'_>, file: &OpenFile, len: usize, at: At) -> Result<Vec<u8>, Stop> {
    if len <= CLEARED_MAX {
        let mut data = vec![0; len];
        let moved = file.ops.read(cx.kernel, file, &mut data, at)?;
        data.truncate(moved);
        return Ok(data);
    }
    let mut scratch = std::mem::take(&mut cx.kernel.scratch);
    scratch.resize(scratch.len().max(len), 0);
    let moved = file.ops.read(cx.kernel, file, &mut scratch[..len], at);
    let data = moved.map(|moved| scratch[..moved].to_vec());
    cx.kernel.scratch = scratch;
    data
}

/// Writes the caller's buffers. Goes on until all is written, as Linux does for blocking files; a non-blocking one stops
/// where it would wait, and bytes that cannot be read end it.
///
/// # Errors
/// As write(2).
pub(crate) fn write(cx: &mut Cx<'_>, file: &OpenFile, buffers: &Buffers, how: Transfer) -> Answer {
    loop {
        let done = cx.call.progress as u64;
        let at = match how.at {
            At::Offset(offset) => At::Offset(offset.saturating_add(done)),
            other => other,
        };
        let moved = piece(cx, file, buffers, at);
        match cx.or_wait(file, Direction::Send, file.nonblock() || how.nonblock, moved) {
            Ok(moved) => {
                cx.call.progress += moved;
                cx.commit();
            }
            Err(Stop::Errno(errno)) => return cx.sent_until(file, done, errno),
            Err(stop) => return Err(stop),
        }
        if cx.call.progress as u64 >= buffers.len() {
            return Ok(cx.call.progress as u64);
        }
    }
}

/// Writes as much of the next buffer as is here and the file takes.
fn piece(cx: &mut Cx<'_>, file: &OpenFile, buffers: &Buffers, at: At) -> Result<usize, Stop> {
    let (addr, len) = buffers.locate(cx.call.progress as u64);
    let data = cx.call.mem.read_some(addr, len)?;
    file.ops.write(cx.kernel, file, data, at)
}
