//! getpid(2): the number in the rump kernel.

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn getpid(cx: &mut Cx<'_>) -> Answer {
    Ok(u64::from(cx.process()?.pid.0))
}
