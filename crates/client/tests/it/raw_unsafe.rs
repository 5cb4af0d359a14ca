//! What the tests want of the host and std does not have.

use std::sync::atomic::{AtomicU32, Ordering};

/// How often a handler of [`count`] has run.
pub(crate) static HANDLED: [AtomicU32; 65] = [const { AtomicU32::new(0) }; 65];

extern "C" fn handler(signo: libc::c_int) {
    if let Some(count) = usize::try_from(signo).ok().and_then(|signo| HANDLED.get(signo)) {
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// Counts this signal in [`HANDLED`]; calls are not restarted after it.
pub(crate) fn count(signo: u32) {
    // SAFETY: an all-zero sigaction is a valid one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does what a handler may.
    let outcome = unsafe { libc::sigaction(signo.cast_signed(), &raw const action, std::ptr::null_mut()) };
    assert_eq!(outcome, 0);
}
