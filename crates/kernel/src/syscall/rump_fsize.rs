//! `rump_fsize(limit, pid)`: a process's `RLIMIT_FSIZE`.

use crate::call::Answer;
use crate::cx::Cx;
use crate::process::Process;
use abi::Errno;

pub(crate) fn rump_fsize(cx: &mut Cx<'_>) -> Answer {
    let (limit, host_pid) = (cx.arg(0), cx.uint(1));
    if host_pid == 0 {
        cx.process()?.fsize = limit;
        return Ok(0);
    }
    let uid = cx.kernel.caller_credentials().uid;
    let is_meant = |process: &&mut Process| process.who.host_pid == host_pid;
    let mut meant = cx.kernel.processes.iter_mut().filter(is_meant).peekable();
    meant.peek().ok_or(Errno::ESRCH)?;
    // It may have several connections.
    for process in meant {
        if uid != 0 && uid != process.who.uid {
            return Err(Errno::EPERM.into());
        }
        process.fsize = limit;
    }
    Ok(0)
}
