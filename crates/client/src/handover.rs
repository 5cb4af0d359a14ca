//! Leaving the connection to the program that this process runs next.

use crate::lock_unsafe::Held;
use crate::state::{Phase, Reader, Session};
use crate::sys;
use abi::Errno;
use core::sync::atomic::Ordering;
use host::Wait;

/// What the next program has to know of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    /// Its descriptor.
    pub fd: u32,
    /// The number of the next request: answers to old ones may still come, and must not be taken for new ones.
    pub reqno: u64,
    /// Whether the server takes CALL frames.
    pub extended: bool,
}

/// A connection that nobody uses for as long as this lives: what was read of it ends with a frame, and other threads'
/// calls go on waiting.
#[derive(Debug)]
pub struct Suspended<'a> {
    session: &'a Session,
    held: Option<(Held<'a, ()>, Held<'a, Reader>)>,
    handover: Handover,
}

impl Session {
    /// Stops all traffic, so that the next program can go on with the connection.
    ///
    /// # Errors
    /// `ENOTCONN`; what a server refuses an introduction with.
    pub fn suspend(&self) -> Result<Suspended<'_>, Errno> {
        self.introduce()?;
        self.suspended.store(1, Ordering::SeqCst);
        for (_, slot) in &self.state.lock().waiting {
            slot.ring();
        }
        let mut held = (self.sender.lock(), self.reader.lock());
        while !held.1.decoder.is_empty() {
            // The server sends frames whole: the rest comes.
            let _ = self.read_once(&mut held.1, Wait::Yes);
        }
        let handover = {
            let state = self.state.lock();
            match state.phase {
                Phase::Up { socket, extended } => Ok(Handover { fd: socket, reqno: state.reqno, extended }),
                _ => Err(Errno::ENOTCONN),
            }
        };
        match handover {
            Ok(handover) => Ok(Suspended { session: self, held: Some(held), handover }),
            Err(errno) => {
                drop(held);
                self.resume();
                Err(errno)
            }
        }
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::SeqCst) != 0
    }

    /// Waits for the end of a suspension, or of this program.
    pub(crate) fn wait_while_suspended(&self) {
        while self.is_suspended() {
            let _ = sys::futex_wait(&self.suspended, 1, None, Wait::Yes);
        }
    }

    fn resume(&self) {
        self.suspended.store(0, Ordering::SeqCst);
        sys::futex_wake(&self.suspended, u32::MAX >> 1);
        self.hand_over();
    }
}

impl Suspended<'_> {
    /// What the next program has to know.
    #[must_use]
    pub fn handover(&self) -> Handover {
        self.handover
    }
}

impl Drop for Suspended<'_> {
    fn drop(&mut self) {
        self.held = None;
        self.session.resume();
    }
}
