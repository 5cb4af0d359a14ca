//! Descriptors of a kernel that is gone, and programs that go on with them all the same.
//!
//! Such a descriptor is hung up to poll(2) and fails every call, at once, for good. Programs close it then, as a rule. But no
//! network vanishes natively, and servers are not written for it: those that poll a listening socket and accept(2) (nginx, sshd,
//! dnsmasq, redis) would do so for ever, as fast as they can. So who comes again and again is made to wait a little, descriptor by
//! descriptor; the first calls, by which a program learns of the loss, are answered at once.

use crate::Hijack;
use crate::world::World;
use abi::layout::Timespec;
use abi::raw::general::CLOCK_MONOTONIC;
use abi::{Errno, nr};
use core::sync::atomic::{AtomicU64, Ordering};
use zerocopy::FromZeros;

/// So many calls are answered at once.
const FREE: u32 = 32;
/// The calls behind them come no faster than one in so many milliseconds.
const PACE_MS: u32 = 100;

/// A call that waits is counted for the time when it goes on, and the next one comes right behind it. Nobody is made to wait for more.
const FURTHEST_MS: u32 = (FREE + 2) * PACE_MS;

const MS_PER_S: i64 = 1000;
const NS_PER_MS: i64 = 1_000_000;

/// Descriptors that are watched at once; two that fall to the same slot wait less than they should.
const SLOTS: usize = 64;

/// When the next call on a descriptor would be due if all had kept the pace (a leaking bucket): the descriptor above, milliseconds below.
pub(crate) struct Lost {
    due: [AtomicU64; SLOTS],
}

impl Lost {
    pub(crate) const fn new() -> Self {
        Self { due: [const { AtomicU64::new(0) }; SLOTS] }
    }

    /// Counts a call on this descriptor at this moment; answers for how many milliseconds it is too early.
    fn count(&self, fd: u32, now_ms: u32) -> u32 {
        let Some(slot) = self.due.get(fd as usize % SLOTS) else { return 0 };
        let word = slot.load(Ordering::Relaxed);
        // What is due lies within the free calls' time of now, or it is long past (or from before the clock came round).
        let ahead = match (word as u32).wrapping_sub(now_ms) {
            ahead if (word >> 32) as u32 == fd && ahead <= FURTHEST_MS => ahead,
            _ => 0,
        };
        let early = ahead.saturating_sub(FREE * PACE_MS);
        let next = now_ms.wrapping_add((ahead + PACE_MS).min(FURTHEST_MS));
        slot.store(u64::from(fd) << 32 | u64::from(next), Ordering::Relaxed);
        early
    }
}

impl<W: World> Hijack<W> {
    /// Takes note of a call on a descriptor whose kernel is gone; answers for how many milliseconds it comes too early.
    pub(crate) fn comes_too_early(&self, fd: u32) -> u32 {
        self.lost.count(fd, now_ms(&self.world))
    }

    /// As [`Hijack::comes_too_early`]; and waits for so long, or until a signal comes.
    pub(crate) fn slow_down(&self, fd: u32, errno: Errno) {
        // EINTR: nothing is known yet of the kernel.
        if !matches!(errno, Errno::EBADF | Errno::ENOTCONN) {
            return;
        }
        let early = i64::from(self.comes_too_early(fd));
        if early > 0 {
            let pause = Timespec { tv_sec: 0, tv_nsec: early * NS_PER_MS };
            let _ = self.world.host_waiting(nr::NANOSLEEP, [(&raw const pause) as u64, 0, 0, 0, 0, 0]);
        }
    }
}

fn now_ms<W: World>(world: &W) -> u32 {
    let mut time = Timespec::new_zeroed();
    let args = [u64::from(CLOCK_MONOTONIC), (&raw mut time) as u64, 0, 0, 0, 0];
    let ms = || time.tv_sec.wrapping_mul(MS_PER_S).wrapping_add(time.tv_nsec / NS_PER_MS) as u32;
    world.host(nr::CLOCK_GETTIME, args).map_or(0, |_| ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_calls_are_free_and_the_others_keep_the_pace() {
        let lost = Lost::new();
        let mut now = u32::MAX - 1000;
        assert!((0..=FREE).all(|_| lost.count(7, now) == 0));
        for _ in 0..100 {
            let early = lost.count(7, now);
            assert!(early > 0 && early <= PACE_MS, "{early}");
            now = now.wrapping_add(early);
        }
        assert_eq!(lost.count(8, now), 0, "another descriptor");
        now = now.wrapping_add(FREE * PACE_MS);
        assert_eq!(lost.count(7, now), 0, "after a rest");
    }

    #[test]
    fn who_calls_now_and_then_never_waits() {
        let lost = Lost::new();
        assert!((0..1000).all(|at| lost.count(3, at * PACE_MS) == 0));
    }
}
