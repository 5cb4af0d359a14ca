//! gettid(2): a process here has one thread.

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn gettid(cx: &mut Cx<'_>) -> Answer {
    Ok(u64::from(cx.process()?.pid.0))
}
