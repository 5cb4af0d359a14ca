//! `rump_info(topic, buf, len)`: a table as text.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::private::Info;

/// Answers the whole length, so that a caller with too small a buffer knows how much to bring.
pub(crate) fn rump_info(cx: &mut Cx<'_>) -> Answer {
    let topic = Info::from_number(cx.arg(0)).ok_or(Errno::EINVAL)?;
    let (addr, len) = (cx.arg(1), cx.arg(2));
    let mut text = cx.kernel.info(topic).into_bytes();
    let whole = text.len() as u64;
    text.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    cx.call.mem.write(addr, text);
    Ok(whole)
}
