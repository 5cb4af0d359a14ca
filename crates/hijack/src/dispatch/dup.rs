//! dup(2), dup2(2), dup3(2): the host's; the table follows.

use super::{Answer, Call, Verdict, unlock};
use crate::Hijack;
use crate::fds::Entry;
use crate::world::World;
use abi::Errno;

pub(super) fn dup<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    copy(h, call, h.entry(call.args[0] as u32))
}

/// A call that copies descriptor 0 of its arguments, which is `entry`, to the number that it answers.
pub(super) fn copy<W: World>(h: &Hijack<W>, call: &Call, entry: Entry) -> Verdict {
    match entry {
        Entry::Host => Ok(Answer::Host),
        Entry::Own => Err(Errno::EBADF),
        Entry::Rump(_) | Entry::Unknown => {
            let old = call.args[0] as u32;
            h.share(old)?;
            let entry = h.entry(old);
            let number = h.world.host(call.nr, call.args)?;
            h.learn(number as u32, entry);
            Ok(Answer::Value(number))
        }
    }
}

pub(super) fn dup2<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    replace(h, call)
}

pub(super) fn dup3<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    replace(h, call)
}

fn replace<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let (old, new) = (call.args[0] as u32, call.args[1] as u32);
    let entry = h.entry(old);
    if entry == Entry::Own {
        return Err(Errno::EBADF);
    }
    if h.entry(new) == Entry::Own {
        h.move_own(new)?;
    }
    if old != new {
        h.forget_unseen(new, new);
    }
    if entry == Entry::Host && h.fds.get(new) == Entry::Host || old == new {
        return Ok(Answer::Host);
    }
    h.share(old)?;
    let entry = h.entry(old);
    // While the host replaces the one by the other, other threads have to ask which it is.
    unlock::before_close(h, new);
    let before = h.relearn(new, Entry::Unknown);
    let answer = h.world.host(call.nr, call.args);
    h.learn(new, if answer.is_ok() { entry } else { before });
    if answer.is_ok() {
        h.leave(before);
    }
    answer.map(Answer::Value)
}
