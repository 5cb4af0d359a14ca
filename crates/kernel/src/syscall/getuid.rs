//! getuid(2).

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn getuid(cx: &mut Cx<'_>) -> Answer {
    Ok(u64::from(cx.process()?.who.uid))
}
