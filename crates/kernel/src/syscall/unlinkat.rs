//! unlinkat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::unlink::remove;
use abi::Errno;
use abi::raw::general::AT_REMOVEDIR;

pub(crate) fn unlinkat(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(2);
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL.into());
    }
    remove(cx, Some(0), 1, flags)
}
