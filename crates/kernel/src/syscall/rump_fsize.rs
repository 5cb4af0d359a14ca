//! `rump_fsize(limit)`: the process's `RLIMIT_FSIZE`.

use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn rump_fsize(cx: &mut Cx<'_>) -> Answer {
    let limit = cx.arg(0);
    cx.process()?.fsize = limit;
    Ok(0)
}
