//! listen(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::transfer;

/// A negative backlog is a large one, as Linux compares it unsigned.
pub(crate) fn listen(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let backlog = cx.uint(1).min(cx.kernel.tunables.somaxconn);
    transfer::of(&file)?.listen(cx.kernel, &file, backlog)?;
    Ok(0)
}
