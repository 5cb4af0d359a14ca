//! What a fork needs before and after it.

use super::Live;
use crate::Hijack;
use client::Session;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use host::Wait;

const FREE: u32 = 0;
const HELD: u32 = 1;

/// The fork that is under way: one at a time, as the host serialises most of it anyway. No code of the program
/// runs on the thread that holds it.
pub(super) struct Announcement {
    state: AtomicU32,
    /// Whether there is an authentication, and its two halves.
    auth: [AtomicU64; 3],
}

/// What came of a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// There is no child.
    Failed,
    /// There is one, and this is its parent.
    Made,
    /// This is the child.
    Child,
}

impl Announcement {
    pub(super) const fn new() -> Self {
        Self { state: AtomicU32::new(FREE), auth: [const { AtomicU64::new(0) }; 3] }
    }

    fn take(&self) {
        while self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            let _ = host::futex_wait(&self.state, HELD, None, Wait::Yes);
        }
    }

    fn release(&self) {
        self.state.store(FREE, Ordering::Release);
        host::futex_wake(&self.state, 1);
    }

    fn set(&self, auth: Option<[u8; 16]>) {
        let [known, low, high] = &self.auth;
        known.store(u64::from(auth.is_some()), Ordering::Relaxed);
        let value = u128::from_ne_bytes(auth.unwrap_or_default());
        low.store(value as u64, Ordering::Relaxed);
        high.store((value >> 64) as u64, Ordering::Relaxed);
    }

    fn get(&self) -> Option<[u8; 16]> {
        let [known, low, high] = self.auth.each_ref().map(|part| part.load(Ordering::Relaxed));
        (known != 0).then(|| (u128::from(high) << 64 | u128::from(low)).to_ne_bytes())
    }
}

impl Hijack<Live> {
    /// Before a fork (a child with memory of its own): the rump kernel is told, if it knows this process.
    pub(super) fn announce(&self) {
        self.share_all();
        let auth = self.authentication();
        self.world.fork.take();
        self.world.fork.set(auth);
    }

    /// After it.
    pub(super) fn announced(&self, what: Announced) {
        let auth = self.world.fork.get();
        self.world.fork.release();
        match (what, auth) {
            // At worst the server keeps the announcement until it is stopped.
            (Announced::Failed, Some(auth)) => drop(self.world.session().cancel_prefork(auth)),
            (Announced::Failed, None) | (Announced::Made, _) => {}
            (Announced::Child, auth) => {
                self.fds.forget_lone();
                self.leave_stand_in();
                self.world.after_fork(auth);
                if auth.is_some() {
                    self.world.introduce();
                }
                self.note_own();
            }
        }
    }

    /// Before a vfork (a child that shares the memory): as [`Hijack::before_vfork`], and the child gets a session of
    /// its own.
    pub(super) fn begin_vfork(&self) -> usize {
        self.share_all();
        let auth = self.authentication();
        let task = self.before_vfork();
        let options = self.world.options.clone();
        let session = match auth {
            Some(auth) => Session::forked(options, auth),
            None => Session::new(options),
        };
        self.world.children.begin(task, session);
        task
    }

    /// After it, in the parent, when the child has run another image or ended.
    pub(super) fn end_vfork(&self, task: usize) {
        self.world.children.end(task);
        self.after_vfork(task);
    }

    /// What a child of the calling task introduces itself with: nothing if the rump kernel does not know the task.
    fn authentication(&self) -> Option<[u8; 16]> {
        let session = self.world.session();
        if session.is_known() { session.prefork().ok() } else { session.fork_auth() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authentication_is_kept() {
        let announcement = Announcement::new();
        let auth = core::array::from_fn(|at| at as u8 * 17);
        announcement.set(Some(auth));
        assert_eq!(announcement.get(), Some(auth));
        announcement.set(None);
        assert_eq!(announcement.get(), None);
    }
}
