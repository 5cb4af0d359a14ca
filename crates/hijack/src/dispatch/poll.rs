//! poll(2), ppoll(2). Rump descriptors alone: one request to their kernel. A mix: the rump kernel drives the
//! host descriptors of its files, and the host's poll sees them all.

use super::{Answer, Call, Verdict, row_of};
use crate::Hijack;
use crate::fds::{Entry, Kind, RumpFd};
use crate::owner::Owner;
use crate::world::{Args, World};
use abi::Errno;
use abi::layout::Pollfd;
use alloc::vec::Vec;
use zerocopy::{FromZeros, IntoBytes};

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
    let fds = read_fds(h, call)?;
    watch_all(h, &fds);
    Ok(Answer::Host)
}

fn all_rump_or_host<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let fds = read_fds(h, call)?;
    let mut asked = fds.iter().filter(|entry| entry.fd >= 0);
    if asked.clone().next().is_some()
        && asked.all(|entry| matches!(h.owner(fd_of(entry)), Ok(Owner::Rump(_))))
    {
        return in_rump(h, call, fds).map(Answer::Value);
    }
    watch_all(h, &fds);
    Ok(Answer::Host)
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
    for entry in fds.iter_mut().filter(|entry| entry.fd >= 0) {
        if let Owner::Rump(rump) = h.owner(fd_of(entry))? {
            entry.fd = i32::try_from(rump.kernel_fd.0).map_err(|_| Errno::EBADF)?;
        }
    }
    let [address, count, rest @ ..] = call.args;
    let [timeout, mask, mask_size, _] = rest;
    let args: Args = [fds.as_mut_ptr() as u64, count, timeout, mask, mask_size, 0];
    let ready = h.rump(row_of(call.nr)?, args)?;
    for (at, entry) in fds.iter().enumerate() {
        let revents_at = address.wrapping_add((at * size_of::<Pollfd>() + 6) as u64);
        h.world.write(revents_at, &entry.revents.to_ne_bytes())?;
    }
    Ok(ready)
}

fn watch_all<W: World>(h: &Hijack<W>, fds: &[Pollfd]) {
    for entry in fds.iter().filter(|entry| entry.fd >= 0) {
        if let Ok(Owner::Rump(rump)) = h.owner(fd_of(entry)) {
            // One that cannot be watched has lost its kernel: the host's poll sees it hung up.
            let _ = watch(h, entry.fd as u32, rump);
        }
    }
}

fn fd_of(entry: &Pollfd) -> u64 {
    u64::from(entry.fd as u32)
}

/// Has the rump kernel drive this file's host descriptor from now on.
pub(crate) fn watch<W: World>(h: &Hijack<W>, fd: u32, rump: RumpFd) -> Result<(), Errno> {
    // A lone file is always ready, and so is what stands for it. Of a packet socket the answer takes back what was told of a ring that
    // is empty by now.
    if rump.lone || rump.watched && rump.kind != Kind::Packet {
        return Ok(());
    }
    let row = row_of(abi::private::WATCH)?;
    h.rump_on(row, [rump.kernel_fd.0.into(), 0, 0, 0, 0, 0], (fd, rump))?;
    h.remember_netlink(fd, rump);
    if !h.world.in_vfork_child() {
        h.fds.set_watched(fd, rump);
    }
    Ok(())
}
