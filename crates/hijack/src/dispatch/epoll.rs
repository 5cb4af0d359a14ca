//! epoll_ctl(2) and its waits. The epoll set is the host's; so are, by number, the descriptors in it.

use super::{Answer, Call, Verdict, poll};
use crate::Hijack;
use crate::fds::{Entry, Kind};
use crate::owner::Owner;
use crate::unseen::{packed, unpacked};
use crate::world::World;
use abi::raw::general::{EPOLL_CTL_ADD, EPOLL_CTL_MOD, POLLPRI};
use abi::{Errno, nr};

/// Bytes of a `struct epoll_event`.
const EVENT: u64 = 12;

/// `struct timespec`: no time.
static NO_TIME: [u64; 2] = [0; 2];

pub(super) fn epoll_ctl<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [set, operation, fd, ..] = call.args;
    if h.entry(set as u32) == Entry::Own {
        return Err(Errno::EBADF);
    }
    let Owner::Rump(rump) = h.owner(fd)? else { return Ok(Answer::Host) };
    if !matches!(operation as u32, EPOLL_CTL_ADD | EPOLL_CTL_MOD) {
        h.watch_unseen(set as u32, fd as u32, None);
        return Ok(Answer::Host);
    }
    if matches!(rump.kind, Kind::Regular | Kind::Directory) {
        // epoll_ctl(2): "The target file fd does not support epoll."
        return Err(Errno::EPERM);
    }
    let mut event = [0; EVENT as usize];
    // The host answers EFAULT.
    if h.world.read(call.args[3], &mut event).is_err() {
        return Ok(Answer::Host);
    }
    let (events, data) = unpacked(&event)?;
    if poll::watch(h, fd as u32, rump, events & POLLPRI != 0)? == poll::Seen::All {
        h.watch_unseen(set as u32, fd as u32, None);
        return Ok(Answer::Host);
    }
    let value = h.world.host(call.nr, call.args)?;
    h.watch_unseen(set as u32, fd as u32, Some((rump, events, data)));
    Ok(Answer::Value(value))
}

/// epoll_wait(2), epoll_pwait(2), epoll_pwait2(2): if sockets are hung up that the host does not show so, it is not waited.
pub(super) fn epoll_wait<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [set, events, room, time, mask, size] = call.args;
    let hung_up = h.hung_up_unseen(set as u32);
    let Ok(room) = u64::try_from(room as u32 as i32) else { return Ok(Answer::Host) };
    if hung_up.is_empty() || room == 0 {
        return Ok(Answer::Host);
    }
    let time = if call.nr == nr::EPOLL_PWAIT2 { NO_TIME.as_ptr() as u64 } else { time & !0xffff_ffff };
    let mut count = h.world.host(call.nr, [set, events, room, time, mask, size])?;
    for found in &hung_up {
        match shown(h, (events, count), found.data)? {
            Some(at) => {
                // A hang-up looks like something to read there.
                h.world.write(at, &packed(found.events, found.data))?;
                h.tell_hung_up(set, found, true);
            }
            None if count < room => {
                h.world.write(events.wrapping_add(count * EVENT), &packed(found.events, found.data))?;
                h.tell_hung_up(set, found, false);
                count += 1;
            }
            None => {}
        }
    }
    Ok(Answer::Value(count))
}

/// Where in an array of so many events the one with this word of the program's is.
fn shown<W: World>(h: &Hijack<W>, (array, count): (u64, u64), data: u64) -> Result<Option<u64>, Errno> {
    for at in (0..count).map(|index| array.wrapping_add(index * EVENT)) {
        let mut event = [0; EVENT as usize];
        h.world.read(at, &mut event)?;
        if unpacked(&event)?.1 == data {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
