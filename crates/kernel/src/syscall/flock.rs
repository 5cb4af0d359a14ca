//! flock(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::lock;
use abi::Errno;
use abi::raw::general::{LOCK_EX, LOCK_MAND, LOCK_NB, LOCK_SH, LOCK_UN};

pub(crate) fn flock(cx: &mut Cx<'_>) -> Answer {
    let operation = cx.uint(1);
    // Locks of that kind are no more, and Linux lets those who want one believe that they have it (fs/locks.c).
    if operation & LOCK_MAND != 0 {
        return Ok(0);
    }
    let kind = operation & !LOCK_NB;
    if !matches!(kind, LOCK_SH | LOCK_EX | LOCK_UN) {
        return Err(Errno::EINVAL.into());
    }
    let file = cx.file(0)?;
    let key = file.lock_key();
    if kind == LOCK_UN {
        if cx.kernel.fs.locks.unflock(key, file.id.0) {
            cx.kernel.lock_freed(key);
        }
        return Ok(0);
    }
    if file.check_reads().is_err() && file.check_writes().is_err() {
        return Err(Errno::EBADF.into());
    }
    match cx.kernel.fs.locks.flock(key, file.id.0, kind == LOCK_EX) {
        Ok(()) => {
            // An exclusive lock may have become a shared one, which lets others in.
            cx.kernel.lock_freed(key);
            Ok(0)
        }
        // Converting a lock gives up the one that was held first (flock(2)).
        Err(Errno::EAGAIN) => {
            if cx.kernel.fs.locks.unflock(key, file.id.0) {
                cx.kernel.lock_freed(key);
            }
            if operation & LOCK_NB != 0 { Err(Errno::EAGAIN.into()) } else { Err(lock::wait(cx, key)) }
        }
        Err(errno) => Err(errno.into()),
    }
}
