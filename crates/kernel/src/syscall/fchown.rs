//! fchown(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chown::{ids, set_owner};

pub(crate) fn fchown(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    if let Some(inode) = file.ops.nameless() {
        let (uid, gid) = ids(cx, 1);
        inode.chown(&cx.process()?.who, uid, gid)?;
        return Ok(0);
    }
    let at = cx.place_of(0)?;
    set_owner(cx, at, 1)
}
