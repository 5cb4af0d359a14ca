//! inotify_add_watch(2): the host's inotify sees no file of the rump kernel.

use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::world::World;
use abi::Errno;

pub(super) fn inotify_add_watch<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match h.path_at(None, call.args[1])? {
        None => Ok(Answer::Host),
        Some(_) if !host::can_read(call.args[1], 1) => Err(Errno::EFAULT),
        // inotify(7): the limit on watches is reached; programs fall back to polling.
        Some(_) => Err(Errno::ENOSPC),
    }
}
