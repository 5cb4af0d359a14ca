//! fgetxattr(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::xattr;

pub(crate) fn fgetxattr(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    if let Some(socket) = file.ops.socket() {
        return xattr::get_of_socket(cx, socket);
    }
    let at = cx.place_of(0)?;
    xattr::get(cx, at)
}
