//! epoll_ctl(2). The epoll set is the host's; so are, by number, the descriptors in it.

use super::{Answer, Call, Verdict, poll};
use crate::Hijack;
use crate::fds::{Entry, Kind};
use crate::owner::Owner;
use crate::world::World;
use abi::Errno;
use abi::raw::general::{EPOLL_CTL_ADD, EPOLL_CTL_MOD, POLLPRI};

pub(super) fn epoll_ctl<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [set, operation, fd, ..] = call.args;
    if h.entry(set as u32) == Entry::Own {
        return Err(Errno::EBADF);
    }
    let Owner::Rump(rump) = h.owner(fd)? else { return Ok(Answer::Host) };
    if matches!(operation as u32, EPOLL_CTL_ADD | EPOLL_CTL_MOD) {
        if matches!(rump.kind, Kind::Regular | Kind::Directory) {
            // epoll_ctl(2): "The target file fd does not support epoll."
            return Err(Errno::EPERM);
        }
        poll::watch(h, fd as u32, rump, asks_for_urgent(h, call.args[3]))?;
    }
    Ok(Answer::Host)
}

/// Whether a `struct epoll_event`, whose events come first, has `EPOLLPRI`. The host answers `EFAULT`.
fn asks_for_urgent<W: World>(h: &Hijack<W>, event: u64) -> bool {
    let mut events = [0; 4];
    h.world.read(event, &mut events).is_ok() && u32::from_ne_bytes(events) & POLLPRI != 0
}
