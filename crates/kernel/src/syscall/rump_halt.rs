//! `rump_halt()`: ends the server once this is answered.

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn rump_halt(cx: &mut Cx<'_>) -> Answer {
    cx.check_rules()?;
    cx.kernel.halting = true;
    Ok(0)
}
