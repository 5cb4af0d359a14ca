//! Things that one thread after another uses, and that are never unmapped: a list that only grows.

use crate::sys::{AtomicPtr, AtomicU32};
use core::sync::atomic::Ordering;

pub(crate) const FREE: u32 = 0;
pub(crate) const USED: u32 = 1;

/// What a thing of the pool says of itself.
#[repr(C)]
pub(crate) struct Link<T> {
    /// `FREE` or `USED`.
    pub(crate) state: AtomicU32,
    pub(crate) next: *mut T,
}

/// A thing of a pool.
pub(crate) trait Pooled: Sized {
    /// Where its link is.
    ///
    /// # Safety
    /// `this` is such a thing.
    unsafe fn link(this: *mut Self) -> *mut Link<Self>;
}

/// All things ever made.
pub(crate) struct Pool<T> {
    pub(crate) first: AtomicPtr<T>,
}

impl<T: Pooled> Pool<T> {
    /// A free one, which is the caller's now.
    pub(crate) fn take(&self) -> Option<*mut T> {
        self.iter().find(|thing| {
            // SAFETY: a thing of the pool.
            let state = unsafe { &(*T::link(*thing)).state };
            state.compare_exchange(FREE, USED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// Adds a thing, in use.
    ///
    /// # Safety
    /// It is nobody else's, and is never unmapped.
    pub(crate) unsafe fn add(&self, thing: *mut T) {
        // SAFETY: the caller's promise.
        let link = unsafe { T::link(thing) };
        let mut first = self.first.load(Ordering::Acquire);
        loop {
            // SAFETY: nobody else sees it yet.
            unsafe {
                (*link).state.store(USED, Ordering::Relaxed);
                (*link).next = first;
            }
            match self.first.compare_exchange(first, thing, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    /// All, used and free.
    pub(crate) fn iter(&self) -> impl Iterator<Item = *mut T> {
        let some = |thing: *mut T| (!thing.is_null()).then_some(thing);
        // SAFETY: a thing of the pool, whose `next` does not change once it is in it.
        let next = move |thing: &*mut T| some(unsafe { (*T::link(*thing)).next });
        core::iter::successors(some(self.first.load(Ordering::Acquire)), next)
    }
}

/// Gives a thing back that no thread uses.
///
/// # Safety
/// It is the pool's.
pub(crate) unsafe fn release<T: Pooled>(thing: *mut T) {
    // SAFETY: the caller's promise.
    unsafe { (*T::link(thing)).state.store(FREE, Ordering::Release) };
}
