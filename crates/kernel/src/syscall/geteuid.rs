//! geteuid(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn geteuid(cx: &mut Cx<'_>) -> Answer {
    Ok(u64::from(cx.process()?.who.uid))
}
