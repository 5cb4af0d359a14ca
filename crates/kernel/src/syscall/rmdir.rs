//! rmdir(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::unlink::remove;
use abi::raw::general::AT_REMOVEDIR;

pub(crate) fn rmdir(cx: &mut Cx<'_>) -> Answer {
    remove(cx, None, 0, AT_REMOVEDIR)
}
