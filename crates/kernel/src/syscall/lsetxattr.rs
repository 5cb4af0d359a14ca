//! lsetxattr(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::xattr;
use vfs::Follow;

pub(crate) fn lsetxattr(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::No)?;
    xattr::set(cx, at)
}
