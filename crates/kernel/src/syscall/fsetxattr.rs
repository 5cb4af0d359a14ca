//! fsetxattr(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::xattr;

pub(crate) fn fsetxattr(cx: &mut Cx<'_>) -> Answer {
    let at = cx.place_of(0)?;
    xattr::set(cx, at)
}
