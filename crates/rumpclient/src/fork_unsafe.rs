//! rumpclient_prefork and what follows it.

use crate::process_unsafe::{Caller, become_orphan, caller, enter, forget_child, retry, session};
use crate::signals_unsafe::Mask;
use abi::Errno;
use client::{Options, Session};
use host::HeldHeap;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

/// `struct rumpclient_fork`: an announced fork.
#[derive(Debug)]
#[repr(C)]
pub struct Fork {
    /// 128 bits that only the child knows.
    auth: [u8; 16],
    /// Who announced it.
    parent: *const Session,
}

/// Announces a fork.
///
/// # Errors
/// `ENOTCONN`; what the server refuses it with.
pub(crate) fn prefork() -> Result<*mut Fork, Errno> {
    let parent = session()?;
    let auth = parent.prefork()?;
    Ok(Box::into_raw(Box::new(Fork { auth, parent })))
}

/// The calling process becomes the one that was announced.
///
/// # Errors
/// `ESRCH`: none was announced so, or it has been born already. The host's, of connecting.
///
/// # Safety
/// `fork` is what [`prefork`] answered.
pub(crate) unsafe fn init(fork: *const Fork) -> Result<(), Errno> {
    // SAFETY: the caller's promise; a fork's child has a copy, a session is never freed.
    let (auth, options) = unsafe { ((*fork).auth, (*(*fork).parent).options()) };
    let session = Session::forked(Options { retry: retry(), ..options.clone() }, auth);
    session.open_now()?;
    session.introduce()?;
    enter(session);
    Ok(())
}

/// The fork did not happen.
///
/// # Safety
/// As [`init`], and nobody uses it any more.
pub(crate) unsafe fn cancel(fork: *mut Fork) {
    // SAFETY: the caller's promise; `prefork` made it of a Box.
    let fork = unsafe { Box::from_raw(fork) };
    if let Ok(session) = session() {
        // At worst the server keeps the announcement until this process ends.
        let _ = session.cancel_prefork(fork.auth);
    }
}

/// In the parent, when the child has a session of its own, or (vfork(2)) is gone.
///
/// # Safety
/// As [`cancel`].
pub(crate) unsafe fn done(fork: *mut Fork, child: u32) {
    // SAFETY: the caller's promise; `prefork` made it of a Box.
    drop(unsafe { Box::from_raw(fork) });
    if caller() == Caller::Owner {
        forget_child(child);
    }
}

/// What is held across a fork.
struct Across {
    _heap: HeldHeap,
    mask: Mask,
}

/// Reached by the thread that forks alone: the heap is held.
static ACROSS: AtomicPtr<Across> = AtomicPtr::new(std::ptr::null_mut());

/// From now on every fork(2) of this process leaves its child with a heap that works and without the parent's connection.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the functions stay as long as the library does.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after_in_child)) };
    });
}

extern "C" fn before() {
    let mask = Mask::block();
    // Made before the heap is held.
    let across = Box::new(std::mem::MaybeUninit::<Across>::uninit());
    let across = Box::into_raw(across).cast::<Across>();
    let heap = host::hold_heap();
    // SAFETY: room for one, which nobody else knows.
    unsafe { across.write(Across { _heap: heap, mask }) };
    ACROSS.store(across, Ordering::Release);
}

extern "C" fn after() {
    let across = ACROSS.swap(std::ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: `before` stored it on this thread.
    let Across { _heap, mask } = unsafe { across.read() };
    drop(_heap);
    // SAFETY: its value was moved out; what is left is the room.
    drop(unsafe { Box::from_raw(across.cast::<std::mem::MaybeUninit<Across>>()) });
    mask.restore();
}

extern "C" fn after_in_child() {
    // SAFETY: fork(2) leaves the child with one thread.
    unsafe { become_orphan() };
    after();
}
