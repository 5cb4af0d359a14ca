//! The sessions of vfork children. Each lives from before the vfork until after it, in the parent's memory.

use crate::pieces_unsafe::Pieces;
use alloc::boxed::Box;
use client::Session;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

pub(super) struct Children {
    sessions: Pieces<AtomicPtr<Session>>,
}

impl Children {
    pub(super) fn new() -> Self {
        Self { sessions: Pieces::new() }
    }

    /// The session of this task; `None` for the process itself.
    pub(super) fn get(&self, task: usize) -> Option<&Session> {
        let session = self.sessions.get(task)?.load(Ordering::Acquire);
        // SAFETY: only the task's own thread asks for it, between `begin` and `end`, which run on that thread.
        unsafe { session.as_ref() }
    }

    /// Before the vfork, on the parent's thread.
    pub(super) fn begin(&self, task: usize, session: Session) {
        let slot = self.sessions.reach(task);
        slot.store(Box::into_raw(Box::new(session)), Ordering::Release);
    }

    /// After the vfork, on the parent's thread: the child is gone, and its descriptors with it.
    pub(super) fn end(&self, task: usize) {
        let Some(slot) = self.sessions.get(task) else { return };
        let session = slot.swap(ptr::null_mut(), Ordering::AcqRel);
        if !session.is_null() {
            // SAFETY: `begin` made it of a Box, and nobody else has it any more.
            drop(unsafe { Box::from_raw(session) });
        }
    }
}
