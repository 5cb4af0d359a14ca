//! What threads share memory by, and what a session reaches the host by. The tests of its races (`tests/races`) have models in the
//! place of this file.

pub(crate) use core::hint::spin_loop;
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32};
pub(crate) use host::{close, futex_wait, futex_wake, monotonic_ns, receive, sched_yield, send, shutdown};

/// Stands for a value that one thread at a time may use: a model sees whether two do.
#[derive(Debug)]
pub(crate) struct Watch;

impl Watch {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// The value is about to be used, or was.
    #[inline]
    pub(crate) fn touch(&self) {}
}
