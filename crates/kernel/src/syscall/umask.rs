//! umask(2).

use crate::call::Answer;
use crate::cx::Cx;

/// Answers the mask before.
pub(crate) fn umask(cx: &mut Cx<'_>) -> Answer {
    let mask = cx.uint(0) & 0o777;
    let process = cx.process()?;
    Ok(u64::from(std::mem::replace(&mut process.umask, mask)))
}
