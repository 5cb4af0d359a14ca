//! mount(2): the directory says whose it is. What is mounted may be a path of the rump kernel's too, and must be one where it is a
//! directory (`MS_BIND`, `MS_MOVE`).

use super::route::PathOwner;
use super::{Answer, Call, Verdict, row_of, with};
use crate::Hijack;
use crate::world::World;
use abi::Errno;
use abi::raw::general::{MS_BIND, MS_MOVE, MS_REMOUNT};

pub(super) fn mount<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let Some((_, on)) = h.path_at(None, call.args[1])? else { return Ok(Answer::Host) };
    let args = with(call.args, 1, on.address());
    let flags = call.args[3] as u32;
    let of_directory = flags & MS_REMOUNT == 0 && flags & (MS_BIND | MS_MOVE) != 0;
    let source = h.path_owner(call.args[0]);
    let args = match &source {
        PathOwner::Rump(source) => with(args, 0, source.address()),
        // A name that is no path (`none`), or of a device.
        _ if !of_directory => args,
        PathOwner::Relative if h.cwd_in_rump() => args,
        // A directory of the host cannot be shown in the rump kernel.
        PathOwner::Host | PathOwner::Relative => return Err(Errno::EINVAL),
    };
    h.rump(row_of(call.nr)?, args).map(Answer::Value)
}

/// fsopen(2) names no place. What is opened there is mounted where the program sees the rump kernel's tree, so it is the rump kernel's,
/// unless that knows no such type.
pub(super) fn fsopen<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if h.config.path.is_none() && h.config.blankets.is_empty() {
        return Ok(Answer::Host);
    }
    match h.rump(row_of(call.nr)?, call.args) {
        // That the host lets nobody but root mount is not what is wrong.
        Err(Errno::ENODEV) => match h.world.host(call.nr, call.args) {
            Err(Errno::EPERM) => Err(Errno::ENODEV),
            answer => answer.map(Answer::Value),
        },
        answer => answer.map(Answer::Value),
    }
}
