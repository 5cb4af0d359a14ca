//! The host's clocks.

use kernel::Now;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The time now.
#[must_use]
pub fn now() -> Now {
    Now { mono_ns: mono_ns(), real_ns: ns(clock_gettime(ClockId::Realtime)) }
}

/// `CLOCK_MONOTONIC` in nanoseconds.
#[must_use]
pub fn mono_ns() -> u64 {
    ns(clock_gettime(ClockId::Monotonic))
}

/// What epoll_wait(2) is to wait from `now_ns` to `deadline_ns`, rounded up to its milliseconds, so that the
/// server does not wake too early to do anything.
#[must_use]
pub fn until(now_ns: u64, deadline_ns: u64) -> Timespec {
    let ms = deadline_ns.saturating_sub(now_ns).div_ceil(1_000_000).min(i32::MAX as u64);
    Timespec {
        tv_sec: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ms % 1000 * 1_000_000).unwrap_or(0),
    }
}

fn ns(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}
