//! pidfd_getfd(2): what comes out of another process may be a rump descriptor there.

use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::fds::Entry;
use crate::world::World;

pub(super) fn pidfd_getfd<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let number = h.world.host(call.nr, call.args)?;
    h.settle_taken(number as u32, call.args[1] as u32)?;
    h.learn(number as u32, Entry::Unknown);
    Ok(Answer::Value(number))
}
