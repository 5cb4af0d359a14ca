//! Copies between open files: sendfile(2), copy_file_range(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::{At, OpenFile};
use crate::socket::Direction;
use abi::Errno;

/// Copied at a time.
const PIECE: u64 = 64 << 10;
/// The most that one call copies: it must not keep others waiting. A shorter copy than asked for is allowed.
const COPY_MAX: u64 = 1 << 20;

/// Where one side of a copy starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) at: At,
    /// Where the caller keeps the offset, which is moved on; 0: it is the file's position.
    pub(crate) addr: u64,
}

impl Place {
    /// The offset that argument `at` points to; a null pointer: the file's position.
    ///
    /// # Errors
    /// `EFAULT`. `EINVAL`: negative.
    pub(crate) fn of_argument(cx: &Cx<'_>, at: usize) -> Result<Self, Stop> {
        let addr = cx.arg(at);
        if addr == 0 {
            return Ok(Self { at: At::Position, addr });
        }
        let offset: i64 = cx.get(addr)?;
        let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        Ok(Self { at: At::Offset(offset), addr })
    }

    /// The offset that it stands for in this file.
    pub(crate) fn offset(self, file: &OpenFile) -> u64 {
        match self.at {
            At::Offset(offset) => offset,
            At::Position | At::End => file.offset.get(),
        }
    }

    fn after(self, moved: u64) -> At {
        match self.at {
            At::Offset(offset) => At::Offset(offset.saturating_add(moved)),
            other => other,
        }
    }

    fn put(self, cx: &mut Cx<'_>, moved: u64) {
        if let At::Offset(offset) = self.after(moved) {
            cx.put(self.addr, &offset);
        }
    }
}

/// Copies up to `len` bytes, as many as there are and the target takes; waits only before the first.
///
/// # Errors
/// What reading or writing answers, if nothing was copied.
pub(crate) fn copy(
    cx: &mut Cx<'_>,
    (from, source): (&OpenFile, Place),
    (to, target): (&OpenFile, Place),
    len: u64,
) -> Answer {
    let start = source.offset(from);
    let len = len.min(COPY_MAX);
    let mut moved = 0;
    while moved < len {
        let result = piece(cx, (from, start.saturating_add(moved)), (to, target.after(moved)), len - moved);
        match result {
            Ok(0) => break,
            Ok(more) => moved += more,
            Err(stop) if moved == 0 => return cannot_start(cx, to, stop),
            Err(_) => {
                // What was copied is not to be copied again.
                cx.wait_no_more();
                break;
            }
        }
    }
    if source.at == At::Position {
        from.offset.set(start.saturating_add(moved));
    }
    source.put(cx, moved);
    target.put(cx, moved);
    Ok(moved)
}

fn piece(cx: &mut Cx<'_>, from: (&OpenFile, u64), to: (&OpenFile, At), len: u64) -> Result<u64, Stop> {
    let mut buf = vec![0; usize::try_from(len.min(PIECE)).unwrap_or(0)];
    let read = from.0.ops.read(cx.kernel, from.0, &mut buf, At::Offset(from.1))?;
    if read == 0 {
        return Ok(0);
    }
    Ok(to.0.ops.write(cx.kernel, to.0, &buf[..read], to.1)? as u64)
}

/// Nothing was copied: the call waits, or fails with what a write answers.
fn cannot_start(cx: &mut Cx<'_>, to: &OpenFile, stop: Stop) -> Answer {
    match cx.or_wait(to, Direction::Send, to.nonblock(), Err(stop)) {
        Err(Stop::Errno(errno)) => cx.sent_until(to, 0, errno),
        other => other,
    }
}
