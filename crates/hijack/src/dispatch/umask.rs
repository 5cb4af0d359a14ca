//! umask(2) and sync(2) concern both kernels.

use super::{Answer, Call, Verdict, row_of};
use crate::Hijack;
use crate::world::World;

pub(super) fn umask<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let before = h.world.host(call.nr, call.args)?;
    h.set_umask(call.args[0] as u32);
    if h.world.is_connected() {
        h.tell_umask()?;
    }
    Ok(Answer::Value(before))
}

/// sync(2): of both kernels. sync(1) makes no other call, so it has no connection yet.
pub(super) fn sync<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if h.world.is_connected() || h.config.path.is_some() || !h.config.blankets.is_empty() {
        // It cannot fail; and what the host keeps is to be synchronized, whatever has become of the server.
        let _ = h.rump(row_of(call.nr)?, call.args);
    }
    Ok(Answer::Host)
}
