//! The outside as it is in a program: the host below, a session with the rump kernel, the program's memory.

mod after_fork_unsafe;
mod children_unsafe;
mod fork;
mod hijack_unsafe;
mod hooks;
mod host_unsafe;
mod inherited_fds;
mod message;
mod relay;
mod start;
mod world;

pub use hooks::hooks;
pub use message::{refuse, say};
pub use start::{Outside, start};

use crate::Hijack;
use crate::dispatch::{Call, Verdict};
use crate::pieces_unsafe::Pieces;
use crate::world::World;
use abi::private;
use abi::table::lookup;
use children_unsafe::Children;
use client::{Options, Session};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use fork::Announcement;

/// No descriptor.
const NONE: u32 = u32::MAX;

/// The outside of a hijacked program.
pub struct Live {
    options: Options,
    session: Session,
    children: Children,
    /// The process's own connection as the table knows it.
    own: AtomicU32,
    /// A call went to the rump kernel since the table was last brought up to date.
    used: AtomicBool,
    fork: Announcement,
    task: fn() -> usize,
    place: Place,
}

/// Where threads' paths start.
struct Place {
    get: fn() -> usize,
    set: fn(usize) -> usize,
    /// What the rump kernel knows the slots by: the session in the upper half, the number in the lower.
    numbers: Pieces<AtomicU64>,
}

impl Live {
    fn new(options: Options, session: Session, outside: Outside) -> Self {
        let place = Place { get: outside.place, set: outside.set_place, numbers: Pieces::new() };
        Self {
            options,
            session,
            children: Children::new(),
            own: AtomicU32::new(NONE),
            used: AtomicBool::new(false),
            fork: Announcement::new(),
            task: outside.task,
            place,
        }
    }

    /// Introduces the process to the rump kernel now rather than with its first call: it may give up the right to
    /// connect meanwhile (setuid(2), a sandbox), and an announced child that never comes is kept for nothing.
    fn introduce(&self) {
        if let Some(row) = lookup(private::IDENTIFY) {
            // No descriptor has the cookie 0. A failure shows again with the first call that matters.
            let _ = self.session().call(row, [0; 6], &[]);
        }
    }

    /// The calling task's session.
    fn session(&self) -> &Session {
        self.children.get(self.task()).unwrap_or(&self.session)
    }
}

impl Hijack<Live> {
    /// Decides about one call of the program and carries it out unless it is the host's.
    ///
    /// # Errors
    /// What the program sees as the call's error.
    pub fn call(&self, call: &Call) -> Verdict {
        let verdict = self.dispatch(call);
        if self.world.used.swap(false, Ordering::Relaxed) {
            // It may have connected, reconnected or lost the connection. Other calls do not look: while a thread
            // tries to reconnect, the host's must not wait for it.
            self.note_own();
        }
        verdict
    }
}
