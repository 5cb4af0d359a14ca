//! flock(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::lock;
use abi::Errno;
use abi::raw::general::{LOCK_EX, LOCK_MAND, LOCK_NB, LOCK_SH, LOCK_UN};

pub(crate) fn flock(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let operation = cx.uint(1);
    // Locks of that kind are no more, and Linux lets those who want one believe that they have it (fs/locks.c).
    if operation & LOCK_MAND != 0 {
        return Ok(0);
    }
    let key = file.lock_key();
    let exclusive = match operation & !LOCK_NB {
        LOCK_SH => false,
        LOCK_EX => true,
        LOCK_UN => {
            if cx.kernel.fs.locks.unflock(key, file.id.0) {
                cx.kernel.lock_freed(key);
            }
            return Ok(0);
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    match cx.kernel.fs.locks.flock(key, file.id.0, exclusive) {
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
