//! flistxattr(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::xattr;

pub(crate) fn flistxattr(cx: &mut Cx<'_>) -> Answer {
    if cx.file(0)?.ops.socket().is_some() {
        return xattr::list_of_socket(cx);
    }
    let at = cx.place_of(0)?;
    xattr::list(cx, at)
}
