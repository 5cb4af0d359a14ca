//! poll(2), ppoll(2). Rump descriptors alone: one request to their kernel. A mix: the rump kernel drives the
//! host descriptors of its files, and the host's poll sees them all.

use super::{Answer, Call, Verdict, mixed, row_of};
use crate::Hijack;
use crate::fds::{Entry, Kind, RumpFd};
use crate::owner::Owner;
use crate::world::{Args, World};
use abi::layout::Pollfd;
use abi::raw::general::{POLLHUP, POLLPRI};
use abi::raw::net::SOL_SOCKET;
use abi::{Errno, nr};
use alloc::vec::Vec;
use zerocopy::{FromZeros, IntoBytes};

/// asm-generic/socket.h
const SO_OOBINLINE: u64 = 10;

/// More descriptors than RLIMIT_NOFILE can allow; the host answers `EINVAL`.
const NFDS_MAX: u64 = 1 << 20;

pub(super) fn poll<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    all_rump_or_host(h, call)
}

pub(super) fn ppoll<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if call.args[3] == 0 {
        return all_rump_or_host(h, call);
    }
    // A signal mask that holds for the wait alone is the host's to set: its poll does the waiting.
    let mut fds = read_fds(h, call)?;
    watch_all(h, call, &mut fds);
    Ok(Answer::Host)
}

fn all_rump_or_host<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let mut fds = read_fds(h, call)?;
    let mut asked = fds.iter().filter(|entry| entry.fd >= 0);
    if asked.clone().next().is_some()
        && asked.all(|entry| matches!(h.owner_at_once(fd_of(entry)), Ok(Owner::Rump(_))))
    {
        return in_rump(h, call, fds).map(Answer::Value);
    }
    if watch_all(h, call, &mut fds) == Seen::All {
        return Ok(Answer::Host);
    }
    let ready = mixed::wait(h, &mut fds, (call.nr, call.args[2]))?;
    write_events(h, call.args[0], &fds)?;
    Ok(Answer::Value(ready))
}

/// The program's array, empty if there is nothing of the rump kernel in it or the host answers an error anyway.
fn read_fds<W: World>(h: &Hijack<W>, call: &Call) -> Result<Vec<Pollfd>, Errno> {
    let [address, count, ..] = call.args;
    // nfds_t is unsigned long, the kernel takes an unsigned int.
    let count = count & 0xffff_ffff;
    let mut fds = Vec::new();
    if count == 0 || count > NFDS_MAX || !any_not_host(h, address, count) {
        return Ok(fds);
    }
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    fds.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    fds.resize(count, Pollfd::new_zeroed());
    h.world.read(address, fds.as_mut_bytes())?;
    Ok(fds)
}

/// Most polls are the host's alone: found out without an allocation.
fn any_not_host<W: World>(h: &Hijack<W>, address: u64, count: u64) -> bool {
    const SIZE: u64 = size_of::<Pollfd>() as u64;
    let mut fds = [Pollfd::default(); 16];
    let mut done = 0;
    while done < count {
        let part = (count - done).min(fds.len() as u64);
        let Some(some) = fds.get_mut(..part as usize) else { return false };
        if h.world.read(address.wrapping_add(done * SIZE), some.as_mut_bytes()).is_err() {
            return false;
        }
        if some.iter().any(|entry| entry.fd >= 0 && h.fds.get(entry.fd as u32) != Entry::Host) {
            return true;
        }
        done += part;
    }
    false
}

fn in_rump<W: World>(h: &Hijack<W>, call: &Call, mut fds: Vec<Pollfd>) -> Result<u64, Errno> {
    let mut first = None;
    for entry in fds.iter_mut().filter(|entry| entry.fd >= 0) {
        if let Owner::Rump(rump) = h.owner(fd_of(entry))? {
            first.get_or_insert(entry.fd as u32);
            entry.fd = i32::try_from(rump.kernel_fd.0).map_err(|_| Errno::EBADF)?;
        }
    }
    let [address, count, rest @ ..] = call.args;
    let [timeout, mask, mask_size, _] = rest;
    let args: Args = [fds.as_mut_ptr() as u64, count, timeout, mask, mask_size, 0];
    let slow_down = |errno: &Errno| first.into_iter().for_each(|fd| h.slow_down(fd, *errno));
    let ready = h.rump(row_of(call.nr)?, args).inspect_err(slow_down)?;
    write_events(h, address, &fds)?;
    Ok(ready)
}

fn write_events<W: World>(h: &Hijack<W>, address: u64, fds: &[Pollfd]) -> Result<(), Errno> {
    for (at, entry) in fds.iter().enumerate() {
        let revents_at = address.wrapping_add((at * size_of::<Pollfd>() + 6) as u64);
        h.world.write(revents_at, &entry.revents.to_ne_bytes())?;
    }
    Ok(())
}

/// What the host's poll sees of the rump kernel's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All that is asked for.
    All,
    /// Not what is so and cannot be shown, or more than is so: their kernel has to be asked as well.
    Roughly,
}

/// Has all be watched that can be. One that cannot has lost its kernel, and the host's poll sees it hung up.
fn watch_all<W: World>(h: &Hijack<W>, call: &Call, fds: &mut [Pollfd]) -> Seen {
    let mut early_ms = 0;
    let mut seen = Seen::All;
    for entry in fds.iter_mut().filter(|entry| entry.fd >= 0) {
        let fd = entry.fd as u32;
        let watched = match h.owner_at_once(fd_of(entry)) {
            Ok(Owner::Rump(rump)) => watch(h, fd, rump, entry.events & POLLPRI as u16 != 0),
            Ok(Owner::Host) => Ok(Seen::All),
            Err(errno) => Err(errno),
        };
        match watched {
            Ok(Seen::All) => {}
            Ok(Seen::Roughly) => seen = Seen::Roughly,
            Err(_) if h.entry(fd) == Entry::Own => {}
            Err(_) => early_ms = early_ms.max(h.comes_too_early(fd)),
        }
    }
    if early_ms > 0 && !is_a_look(h, call) {
        // The others are not kept waiting by what the program does not give up.
        let is_lost = |fd: &u64| h.owner_at_once(*fd).is_err();
        let mut others: Vec<Pollfd> = fds.iter().filter(|entry| !is_lost(&fd_of(entry))).copied().collect();
        let args = [others.as_mut_ptr() as u64, others.len() as u64, early_ms.into(), 0, 0, 0];
        let _ = h.world.host_waiting(nr::POLL, args);
    }
    seen
}

/// Whether the call does not wait at all.
fn is_a_look<W: World>(h: &Hijack<W>, call: &Call) -> bool {
    let time = call.args[2];
    if call.nr == nr::POLL {
        return time as u32 == 0;
    }
    let mut limit = [0; 16];
    time != 0 && h.world.read(time, &mut limit).is_ok() && limit == [0; 16]
}

fn fd_of(entry: &Pollfd) -> u64 {
    u64::from(entry.fd as u32)
}

/// Has the rump kernel drive this file's host descriptor from now on, which is to tell of `urgent` data as well.
pub(crate) fn watch<W: World>(h: &Hijack<W>, fd: u32, rump: RumpFd, urgent: bool) -> Result<Seen, Errno> {
    // A lone file is always ready, and so is what stands for it. Of a packet socket the answer takes back what was told of a ring that
    // is empty by now.
    let urgent = urgent && rump.kind.is_socket();
    if rump.lone || rump.watched && rump.kind != Kind::Packet && !urgent {
        return Ok(Seen::All);
    }
    if urgent {
        // What tells of it is a token among others, to be taken like them.
        let on = 1_u32;
        let args = [fd.into(), SOL_SOCKET.into(), SO_OOBINLINE, (&raw const on) as u64, 4, 0];
        let _ = h.world.host(nr::SETSOCKOPT, args);
    }
    let row = row_of(abi::private::WATCH)?;
    let unseen = h.rump_on(row, [rump.kernel_fd.0.into(), urgent.into(), 0, 0, 0, 0], (fd, rump))?;
    if unseen & u64::from(POLLHUP) != 0 {
        // Until it connects it is asked for each time.
        return Ok(Seen::Roughly);
    }
    h.remember_netlink(fd, rump);
    if !h.world.in_vfork_child() {
        h.fds.set_watched(fd, rump);
    }
    Ok(if urgent { Seen::Roughly } else { Seen::All })
}
