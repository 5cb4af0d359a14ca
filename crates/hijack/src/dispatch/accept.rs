//! accept(2) and accept4(2): a connection for which the process has no number stays where it is (net/socket.c, `__sys_accept4_file`).

use super::{Call, Verdict, row_of};
use crate::Hijack;
use crate::owner::Owner;
use crate::world::World;

pub(super) fn accept<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [fd, ..] = call.args;
    if let Owner::Rump(_) = h.owner(fd)? {
        h.has_room(fd as u32)?;
    }
    h.by_fd((row_of(call.nr)?, call), 0)
}
