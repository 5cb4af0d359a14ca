//! select(2) as a poll(2) of what is in its sets: of rump descriptors alone that asks for exceptional conditions (one request to their
//! kernel), and of both kernels' where the host does not see all that is so.

use super::{Call, row_of};
use crate::Hijack;
use crate::owner::Owner;
use crate::world::World;
use abi::layout::{Pollfd, Timespec};
use abi::raw::general::{
    CLOCK_MONOTONIC, POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM,
    POLLWRBAND, POLLWRNORM,
};
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;
use zerocopy::{FromZeros, IntoBytes};

const WORD_BITS: usize = 64;
const NS: i64 = 1_000_000_000;

/// What select(2) asks by each of its sets, and finds (select(2), "Correspondence between select() and poll() notifications").
const ASKED: [u16; 3] = [
    (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR) as u16,
    (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR) as u16,
    POLLPRI as u16,
];

/// The sets of a call.
struct Sets {
    addresses: [u64; 3],
    words: [Vec<u64>; 3],
}

/// Serves the call if all its descriptors are the rump kernel's and one is in the third set; `None`: it is not of that kind.
pub(super) fn select<W: World>(h: &Hijack<W>, count: u32, call: &Call) -> Option<Result<u64, Errno>> {
    let (sets, limit) = Sets::of(h, count, call).filter(|_| call.args[3] != 0)?;
    if sets.words[2].iter().all(|word| *word == 0) {
        return None;
    }
    let numbers: Vec<u32> = (0..count).filter(|fd| sets.events(*fd) != 0).collect();
    let mut fds = Vec::with_capacity(numbers.len());
    for fd in &numbers {
        let Ok(Owner::Rump(rump)) = h.owner((*fd).into()) else { return None };
        let number = i32::try_from(rump.kernel_fd.0).ok()?;
        fds.push(Pollfd { fd: number, events: sets.events(*fd), revents: 0 });
    }
    let ask = |fds: &mut [Pollfd], limit| {
        h.rump(row_of(nr::PPOLL)?, [fds.as_mut_ptr() as u64, fds.len() as u64, limit, 0, 8, 0])
    };
    Some(wait(h, &mut fds, limit, ask).and_then(|()| sets.answer(h, &numbers, &fds)))
}

/// Serves a call on descriptors of both kernels; `None`: it has a signal mask, or the host knows what is wrong with it.
pub(super) fn mixed<W: World>(h: &Hijack<W>, count: u32, call: &Call) -> Option<Result<u64, Errno>> {
    let (sets, limit) = Sets::of(h, count, call)?;
    let numbers: Vec<u32> = (0..count).filter(|fd| sets.events(*fd) != 0).collect();
    let entry = |fd: &u32| Pollfd { fd: *fd as i32, events: sets.events(*fd), revents: 0 };
    let mut fds: Vec<Pollfd> = numbers.iter().map(entry).collect();
    let ask = |fds: &mut [Pollfd], limit| super::mixed::wait(h, fds, (nr::PPOLL, limit));
    Some(wait(h, &mut fds, limit, ask).and_then(|()| sets.answer(h, &numbers, &fds)))
}

/// Whether pselect6(2)'s last argument, a pointer to a pointer and a length, holds a mask.
fn points_to_mask<W: World>(h: &Hijack<W>, argument: u64) -> bool {
    let mut mask = 0_u64;
    h.world.read(argument, mask.as_mut_bytes()).is_err() || mask != 0
}

/// How long to wait: a `struct timeval` of select(2) or a `struct timespec` of pselect6(2).
#[derive(Clone, Copy)]
struct Limit {
    /// 0: without end.
    at: u64,
    /// What its second half counts.
    unit_ns: i64,
}

/// ppoll(2) by `ask`, which is told where the limit is. What is left of the time is written back, as Linux does.
fn wait<W: World>(
    h: &Hijack<W>,
    fds: &mut [Pollfd],
    time: Limit,
    ask: impl FnOnce(&mut [Pollfd], u64) -> Result<u64, Errno>,
) -> Result<(), Errno> {
    let mut limit = Timespec::new_zeroed();
    let limit_at = if time.at == 0 {
        0
    } else {
        h.world.read(time.at, limit.as_mut_bytes())?;
        let ns = limit.tv_nsec.checked_mul(time.unit_ns).filter(|ns| (0..NS).contains(ns));
        limit.tv_nsec = ns.ok_or(Errno::EINVAL)?;
        (&raw const limit) as u64
    };
    let began = now(h);
    let whole = limit.tv_sec.saturating_mul(NS).saturating_add(limit.tv_nsec);
    let ready = ask(fds, limit_at);
    if time.at != 0 {
        let left = whole.saturating_sub(now(h).saturating_sub(began)).max(0);
        // Linux has nobody fail for a time that cannot be written.
        let _ = h.world.write(time.at, &[left / NS, left % NS / time.unit_ns].map(i64::to_ne_bytes).concat());
    }
    ready.map(drop)
}

fn now<W: World>(h: &Hijack<W>) -> i64 {
    let mut time = Timespec::new_zeroed();
    let args = [u64::from(CLOCK_MONOTONIC), (&raw mut time) as u64, 0, 0, 0, 0];
    h.world
        .host(nr::CLOCK_GETTIME, args)
        .map_or(0, |_| time.tv_sec.saturating_mul(NS).saturating_add(time.tv_nsec))
}

impl Sets {
    /// The sets of a call and its limit; `None` if it has a signal mask that holds for the wait alone, which is the host's to set, or
    /// what cannot be read.
    fn of<W: World>(h: &Hijack<W>, count: u32, call: &Call) -> Option<(Self, Limit)> {
        let [_, reading, writing, exceptional, timeout, mask] = call.args;
        if call.nr == nr::PSELECT6 && mask != 0 && points_to_mask(h, mask) {
            return None;
        }
        let limit = Limit { at: timeout, unit_ns: if call.nr == nr::SELECT { 1000 } else { 1 } };
        let sets = Self::read(h, [reading, writing, exceptional], usize::try_from(count).ok()?).ok()?;
        Some((sets, limit))
    }

    fn read<W: World>(h: &Hijack<W>, addresses: [u64; 3], count: usize) -> Result<Self, Errno> {
        let mut words = [const { Vec::new() }; 3];
        for (words, address) in words.iter_mut().zip(addresses).filter(|(_, address)| *address != 0) {
            *words = vec![0; count.div_ceil(WORD_BITS)];
            h.world.read(address, words.as_mut_slice().as_mut_bytes())?;
        }
        Ok(Self { addresses, words })
    }

    fn has(&self, set: usize, fd: u32) -> bool {
        let fd = fd as usize;
        self.words[set].get(fd / WORD_BITS).is_some_and(|word| word >> (fd % WORD_BITS) & 1 != 0)
    }

    fn events(&self, fd: u32) -> u16 {
        (0..3).filter(|set| self.has(*set, fd)).fold(0, |events, set| events | ASKED[set])
    }

    /// Writes what was found; answers how many bits are set.
    fn answer<W: World>(&self, h: &Hijack<W>, numbers: &[u32], fds: &[Pollfd]) -> Result<u64, Errno> {
        let mut bits = 0;
        for (set, address) in self.addresses.into_iter().enumerate().filter(|(_, address)| *address != 0) {
            let mut found = vec![0_u64; self.words[set].len()];
            for (fd, entry) in numbers.iter().zip(fds) {
                if entry.revents & POLLNVAL as u16 != 0 {
                    return Err(Errno::EBADF);
                }
                if self.has(set, *fd) && entry.revents & ASKED[set] != 0 {
                    found[*fd as usize / WORD_BITS] |= 1 << (*fd as usize % WORD_BITS);
                    bits += 1;
                }
            }
            h.world.write(address, found.as_bytes())?;
        }
        Ok(bits)
    }
}
