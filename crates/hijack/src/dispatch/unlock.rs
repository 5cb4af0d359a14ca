//! The locks of a process go when it closes any descriptor of the file, not with the last one (fcntl(2)). The rump kernel hears of
//! the last close only, so a process that has ever taken such a lock gives them up itself.

use super::{Call, row_of};
use crate::Hijack;
use crate::fds::{Entry, Kind};
use crate::owner::Owner;
use crate::world::World;
use abi::layout::Flock;
use abi::nr;
use abi::raw::general::{F_SETLK, F_SETLKW, F_UNLCK};
use core::sync::atomic::Ordering;

/// Takes note of a call that has taken or given up locks.
pub(super) fn note<W: World>(h: &Hijack<W>, call: &Call) {
    if matches!(call.args[1] as u32, F_SETLK | F_SETLKW) {
        h.takes_locks.store(true, Ordering::Relaxed);
    }
}

/// Gives up the process's locks on the file of a descriptor that is about to be closed. Must come before the close: afterwards another
/// thread may have been given the number.
pub(super) fn before_close<W: World>(h: &Hijack<W>, fd: u32) {
    // A vfork child closes its parent's numbers, but is another process.
    if !h.takes_locks.load(Ordering::Relaxed) || h.world.in_vfork_child() || h.fds.get(fd) == Entry::Host {
        return;
    }
    let Ok(Owner::Rump(rump)) = h.owner(fd.into()) else { return };
    if rump.kind != Kind::Regular {
        return;
    }
    let all = Flock { l_type: F_UNLCK as i16, ..Flock::default() };
    let args = [rump.kernel_fd.0.into(), F_SETLK.into(), (&raw const all) as u64, 0, 0, 0];
    // A descriptor that is not open any more has no locks either.
    let _ = row_of(nr::FCNTL).and_then(|row| h.rump(row, args));
}
