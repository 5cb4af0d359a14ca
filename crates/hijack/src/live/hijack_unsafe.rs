//! The pointer to the process's hijack.

use super::Live;
use crate::Hijack;
use core::sync::atomic::{AtomicPtr, Ordering};

/// What was stored there.
pub(super) fn get(pointer: &AtomicPtr<Hijack<Live>>) -> Option<&'static Hijack<Live>> {
    // SAFETY: only `hooks` stores a pointer here, that of a value that lives as long as the process.
    unsafe { pointer.load(Ordering::Acquire).as_ref() }
}
