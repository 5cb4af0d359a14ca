//! setsockopt(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::{option, transfer};
use abi::Errno;

/// Longer values than this no option has; what is behind is not looked at.
const VALUE_MAX: u32 = 4096;

pub(crate) fn setsockopt(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    let len = u32::try_from(cx.int(4)).map_err(|_| Errno::EINVAL)?.min(VALUE_MAX);
    let value = cx.call.mem.read(cx.arg(3), u64::from(len))?.to_vec();
    let which = (cx.uint(1), cx.uint(2));
    option::set(cx.kernel, &file, socket, which, &value)?;
    Ok(0)
}
