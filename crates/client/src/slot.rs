//! Where a thread waits for its answer.

use crate::gather::Memory;
use crate::lock_unsafe::Lock;
use core::sync::atomic::{AtomicU32, Ordering};
use host::{Fd, Wait, futex_wait, futex_wake};
use wire::Frame;

use alloc::sync::Arc;
use alloc::vec::Vec;

/// What came for a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A frame, with the descriptors that came with it.
    Frame(Frame, Vec<Fd>),
    /// The connection was lost.
    Lost,
}

/// One unanswered request.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Counts up whenever there is a reason to look again.
    bell: AtomicU32,
    answer: Lock<Option<Answer>>,
    /// What the server may read and write meanwhile.
    pub(crate) memory: Arc<Memory>,
}

impl Slot {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self { bell: AtomicU32::new(0), answer: Lock::new(None), memory }
    }

    pub(crate) fn bell(&self) -> u32 {
        self.bell.load(Ordering::Acquire)
    }

    /// Wakes the thread that waits here.
    pub(crate) fn ring(&self) {
        self.bell.fetch_add(1, Ordering::Release);
        futex_wake(&self.bell, 1);
    }

    /// Waits until the bell has rung since it showed `seen`, or for a signal (`interruptible`).
    pub(crate) fn listen(&self, seen: u32, wait: Wait) -> Result<(), abi::Errno> {
        futex_wait(&self.bell, seen, None, wait)
    }

    pub(crate) fn put(&self, answer: Answer) {
        *self.answer.lock() = Some(answer);
        self.ring();
    }

    pub(crate) fn take(&self) -> Option<Answer> {
        self.answer.lock().take()
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answer.lock().is_some()
    }
}
