//! Waiting in a program whose signal handlers are not deferred.
//!
//! They are blocked during each call then, and whoever waits is told of them by a descriptor. So a thread is woken by a
//! descriptor too, its slot's alarm: no futex can be waited for together with one.

use crate::pump::RECHECK_NS;
use crate::slot::Slot;
use crate::state::{Reader, Session};
use crate::sys::{self, AtomicU32};
use abi::Errno;
use core::fmt::Debug;
use host::Wait;

/// How a thread learns of signals while it waits.
pub trait Interruption: Debug + Sync {
    /// Waits until one of these descriptors is readable, or for so long. May return early.
    ///
    /// # Errors
    /// `EINTR`: a signal has come whose handler is to run.
    fn wait(&self, readable: &[u32], timeout_ns: u64) -> Result<(), Errno>;

    /// Lets the handlers run that wait for it. The session holds no lock.
    fn deliver(&self);
}

impl Session {
    /// Waits until the slot's bell has rung since it showed `seen`, or for a signal (`wait`).
    ///
    /// # Errors
    /// `EINTR`.
    pub(crate) fn listen(&self, slot: &Slot, seen: u32, wait: Wait) -> Result<(), Errno> {
        let Some(interruption) = self.options.interruption else { return slot.listen(seen, wait) };
        // Without a descriptor, signals wait until the call is over.
        let Some(alarm) = slot.arm() else { return slot.listen(seen, Wait::Yes) };
        if slot.bell() != seen {
            return Ok(());
        }
        let outcome = watch(interruption, &[alarm], wait);
        slot.calm();
        outcome
    }

    /// Reads for all, once there is something to read.
    ///
    /// # Errors
    /// `EINTR`.
    pub(crate) fn read_when_there(&self, reader: &mut Reader, slot: &Slot, wait: Wait) -> Result<(), Errno> {
        let Some(interruption) = self.options.interruption else { return self.read_once(reader, wait) };
        let socket = self.state.lock().socket();
        if let Some(socket) = socket {
            let alarm = slot.arm().unwrap_or(socket);
            if self.is_suspended() {
                return Ok(());
            }
            let outcome = watch(interruption, &[socket, alarm], wait);
            slot.calm();
            outcome?;
        }
        match self.read_once(reader, Wait::No) {
            Err(Errno::EAGAIN) => Ok(()),
            outcome => outcome,
        }
    }

    /// Waits until there is something to read; a signal ends it early.
    ///
    /// # Errors
    /// `EINTR`.
    pub(crate) fn wait_readable(&self, socket: u32, timeout_ns: u64) -> Result<(), Errno> {
        match self.options.interruption {
            Some(interruption) => interruption.wait(&[socket], timeout_ns),
            None => host::wait_readable(socket, timeout_ns).map(drop),
        }
    }

    /// Sleeps; a signal ends it early.
    ///
    /// # Errors
    /// `EINTR`.
    pub(crate) fn pause(&self, timeout_ns: u64) -> Result<(), Errno> {
        match self.options.interruption {
            Some(interruption) => interruption.wait(&[], timeout_ns),
            None => host::sleep_ns(timeout_ns),
        }
    }

    /// Waits until `word` is not `seen` any more; a signal ends it early.
    ///
    /// # Errors
    /// `EINTR`.
    pub(crate) fn wait_for_word(&self, word: &AtomicU32, seen: u32) -> Result<(), Errno> {
        /// Signals are looked for as often.
        const PART_NS: u64 = 50_000_000;
        let waited = match self.options.interruption {
            Some(interruption) => {
                let _ = sys::futex_wait(word, seen, Some(PART_NS), Wait::Yes);
                interruption.wait(&[], 0)
            }
            None => sys::futex_wait(word, seen, None, Wait::Interruptible),
        };
        if waited == Err(Errno::EINTR) { waited } else { Ok(()) }
    }
}

/// Descriptors can be closed under us by a program that closes them all, and a thread that waits is not told of it: it
/// looks again now and then.
fn watch(interruption: &dyn Interruption, readable: &[u32], wait: Wait) -> Result<(), Errno> {
    match wait {
        Wait::Interruptible => interruption.wait(readable, RECHECK_NS),
        Wait::Yes | Wait::No => {
            host::poll_readable(readable, RECHECK_NS);
            Ok(())
        }
    }
}
