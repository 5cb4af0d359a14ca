//! Things for a pool, which loom watches.

use crate::pool_unsafe::{Link, Pool, Pooled, release};
use crate::sys::{AtomicPtr, AtomicU32};
use loom::cell::UnsafeCell;
use std::ptr::null_mut;

/// A thing that only its user reads and writes.
pub(crate) struct Thing {
    link: Link<Thing>,
    uses: UnsafeCell<usize>,
}

impl Pooled for Thing {
    unsafe fn link(this: *mut Self) -> *mut Link<Self> {
        // SAFETY: the caller's promise.
        unsafe { &raw mut (*this).link }
    }
}

pub(crate) struct Things(Pool<Thing>);

// SAFETY: pointers to things are given out to one thread at a time; this is what is tested.
unsafe impl Sync for Things {}
// SAFETY: as above.
unsafe impl Send for Things {}

impl Things {
    pub(crate) fn new() -> Self {
        Self(Pool { first: AtomicPtr::new(null_mut()) })
    }

    /// Uses a thing once, a new one if none is free, and gives it back.
    pub(crate) fn use_one(&self) {
        let thing = self.0.take().unwrap_or_else(|| {
            let link = Link { state: AtomicU32::new(9), next: null_mut() };
            let thing = Box::into_raw(Box::new(Thing { link, uses: UnsafeCell::new(0) }));
            // SAFETY: it was just made, and is leaked until the end.
            unsafe { self.0.add(thing) };
            thing
        });
        // SAFETY: the pool's, and the caller's alone: loom checks that.
        unsafe {
            (*thing).uses.with_mut(|uses| *uses += 1);
            release(thing);
        }
    }

    /// How often each thing was used, at the end.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let uses = self.0.iter().map(|thing| {
            // SAFETY: the pool's, and nobody uses it any more.
            unsafe { (*thing).uses.with(|uses| *uses) }
        });
        uses.collect()
    }
}

impl Drop for Things {
    fn drop(&mut self) {
        let all: Vec<*mut Thing> = self.0.iter().collect();
        for thing in all {
            // SAFETY: made by `use_one`, and dropped once.
            drop(unsafe { Box::from_raw(thing) });
        }
    }
}
