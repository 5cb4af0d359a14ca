//! fchdir(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chdir::enter;
use abi::Errno;

pub(crate) fn fchdir(cx: &mut Cx<'_>) -> Answer {
    let at = cx.any_file(0)?.ops.location().ok_or(Errno::ENOTDIR)?;
    enter(cx, at)
}
