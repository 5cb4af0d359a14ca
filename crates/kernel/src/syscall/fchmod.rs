//! fchmod(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chmod::set_mode;

pub(crate) fn fchmod(cx: &mut Cx<'_>) -> Answer {
    let (file, mode) = (cx.file(0)?, cx.uint(1));
    if let Some(inode) = file.ops.nameless() {
        inode.chmod(&cx.process()?.who, mode)?;
        return Ok(0);
    }
    let at = cx.place_of(0)?;
    set_mode(cx, at, mode)
}
