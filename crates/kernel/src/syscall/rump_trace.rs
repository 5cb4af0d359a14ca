//! `rump_trace(buf, len)`: waits for finished calls of other processes; one line each.

use crate::call::{Answer, Wait};
use crate::call::Stop;
use crate::cx::Cx;
use abi::Errno;

/// With a `len` of 0 only begins to listen, so that nothing is missed of a program started afterwards.
pub(crate) fn rump_trace(cx: &mut Cx<'_>) -> Answer {
    cx.check_rules()?;
    let (pid, addr, len) = (cx.call.pid, cx.arg(0), cx.arg(1));
    if !cx.kernel.trace.is_listening(pid) {
        let object = cx.kernel.files.new_object();
        cx.kernel.trace.listen(pid, object);
    }
    if len == 0 {
        return Ok(0);
    }
    match cx.kernel.trace.take(pid, usize::try_from(len).unwrap_or(usize::MAX)) {
        Ok(text) if text.is_empty() => Err(Errno::EMSGSIZE.into()),
        Ok(text) => {
            let moved = text.len() as u64;
            cx.call.mem.write(addr, text);
            Ok(moved)
        }
        Err(object) => {
            Err(Stop::Wait(Wait { on: object.into_iter().collect(), until: None, restartable: false }))
        }
    }
}
