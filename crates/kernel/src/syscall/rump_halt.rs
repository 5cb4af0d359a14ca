//! `rump_halt()`: ends the server once this is answered.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;

pub(crate) fn rump_halt(cx: &mut Cx<'_>) -> Answer {
    if cx.process()?.who.uid != 0 {
        return Err(Errno::EPERM.into());
    }
    cx.kernel.halting = true;
    Ok(0)
}
