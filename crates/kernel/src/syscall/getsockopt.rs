//! getsockopt(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::{option, transfer};
use abi::Errno;

pub(crate) fn getsockopt(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    let (addr, len_addr) = (cx.arg(3), cx.arg(4));
    let len: i32 = cx.get(len_addr)?;
    let room = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    let which = (cx.uint(1), cx.uint(2));
    if which == (option::packet::LEVEL, option::packet::PACKET_HDRLEN) {
        // The one that is told for what version.
        let header_len = option::packet::header_len(cx.get(addr)?)?;
        cx.put(addr, &header_len);
        return Ok(0);
    }
    let mut value = option::get(cx.kernel, &file, socket, which, room)?;
    value.truncate(room);
    cx.put(len_addr, &u32::try_from(value.len()).unwrap_or(u32::MAX));
    cx.call.mem.write(addr, value);
    Ok(0)
}
