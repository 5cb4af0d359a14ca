//! getppid(2): the parent's number in the rump kernel, 1 for a client that connected.

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn getppid(cx: &mut Cx<'_>) -> Answer {
    Ok(u64::from(cx.process()?.ppid.0))
}
