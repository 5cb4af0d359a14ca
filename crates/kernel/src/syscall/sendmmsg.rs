//! sendmmsg(2).

use super::sendmsg::send_header;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::socket::transfer;
use abi::layout::Mmsghdr;

/// `UIO_MAXIOV`: more messages are not looked at.
pub(super) const MESSAGES_MAX: u32 = 1024;

/// Answers how many messages were sent; of a stream, the last one may be in part.
pub(crate) fn sendmmsg(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    transfer::of(&file)?;
    let (addr, count, flags) = (cx.arg(1), cx.uint(2).min(MESSAGES_MAX), cx.uint(3));
    for at in 0..count {
        let done = cx.call.progress as u64;
        if u64::from(at) < done {
            continue;
        }
        let one = addr.wrapping_add(u64::from(at) * size_of::<Mmsghdr>() as u64);
        match send_header(cx, &file, one, flags, transfer::send_once) {
            Ok(sent) => put_len(cx, one, sent),
            Err(Stop::Errno(_)) if done > 0 => return Ok(done),
            Err(stop) => return Err(stop),
        }
        cx.call.progress += 1;
    }
    Ok(u64::from(count))
}

/// Writes `msg_len`.
pub(super) fn put_len(cx: &mut Cx<'_>, message: u64, len: u64) {
    let addr = message.wrapping_add(std::mem::offset_of!(Mmsghdr, msg_len) as u64);
    cx.put(addr, &u32::try_from(len).unwrap_or(u32::MAX));
}
