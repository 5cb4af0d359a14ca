//! recvmmsg(2).

use super::ppoll::duration_ns;
use super::sendmmsg::{MESSAGES_MAX, put_len};
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::socket::message::Header;
use crate::socket::transfer;
use abi::layout::{Mmsghdr, Timespec};
use abi::raw::net::{MSG_DONTWAIT, MSG_WAITALL};

/// Only the first message is waited for (linux/socket.h).
const MSG_WAITFORONE: u32 = 0x1_0000;

const NS_PER_S: i64 = 1_000_000_000;

/// Waits for all the messages asked for; with `MSG_WAITFORONE` for the first only. The time-out counts once a
/// message has come (recvmmsg(2), BUGS).
pub(crate) fn recvmmsg(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    transfer::of(&file)?;
    let (addr, count) = (cx.arg(1), cx.uint(2).min(MESSAGES_MAX));
    // Collecting a stream into one message has its own progress.
    let flags = cx.uint(3) & !MSG_WAITALL;
    let limit_ns = duration_ns(cx, cx.arg(4))?;
    while cx.call.progress < count as usize {
        let done = cx.call.progress as u64;
        if done > 0 && limit_ns.is_some_and(|limit_ns| cx.deadline(limit_ns).is_err()) {
            break;
        }
        let one = addr.wrapping_add(done * size_of::<Mmsghdr>() as u64);
        let dont_wait = flags & MSG_DONTWAIT != 0 || (flags & MSG_WAITFORONE != 0 && done > 0);
        let flags = (flags & !MSG_WAITFORONE) | if dont_wait { MSG_DONTWAIT } else { 0 };
        let header = Header::read(cx, one)?;
        match transfer::receive_message(cx, &file, &header, flags) {
            Ok(len) => put_len(cx, one, len),
            Err(Stop::Errno(_)) if done > 0 => break,
            Err(stop) => return Err(stop),
        }
        cx.call.progress += 1;
    }
    if let Some(limit_ns) = limit_ns {
        put_left(cx, limit_ns);
    }
    Ok(cx.call.progress as u64)
}

/// What is left of the time-out takes its place (net/socket.c, do_recvmmsg).
fn put_left(cx: &mut Cx<'_>, limit_ns: u64) {
    let left = cx.deadline(limit_ns).map_or(0, |until| until.saturating_sub(cx.kernel.now.mono_ns));
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    let time = Timespec { tv_sec: left / NS_PER_S, tv_nsec: left % NS_PER_S };
    cx.put(cx.arg(4), &time);
}
