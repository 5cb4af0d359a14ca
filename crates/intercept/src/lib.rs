//! How the system calls of an unmodified program are caught.
//!
//! Known `syscall` instructions (of libc, ld.so, the program, libraries as they are loaded) are rewritten to jump to a trampoline, which leaves a call to
//! the host if its number and descriptor say so. All others are caught by Syscall User Dispatch, whose SIGSYS handler
//! only points the program at the same entry. There the registers are saved, the thread goes to a stack of ours, and
//! [`Hooks::dispatch`] decides. Whose call it is is none of this crate's business.
//!
//! A user of this crate calls [`start`] once, before the program has threads, with its [`Hooks`]. From then on:
//!
//! * `dispatch` runs on the calling thread, outside of any signal handler, on a stack of its own. A signal that comes
//!   meanwhile is deferred: its handler runs when the call returns to the program. [`host::interruptible`] calls end
//!   with `EINTR` then. An answer of `Done(-512)` (ERESTARTSYS) starts the call again where SA_RESTART says so.
//! * Descriptors that `dispatch` has to see are [marked](marks).
//! * [`place`] is the calling thread's, where it has a working directory of its own.
//! * [`task`] tells a vfork child, which shares its parent's memory, from the process.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

mod actions_unsafe;
mod around_unsafe;
mod block_unsafe;
mod cache_unsafe;
mod clone_unsafe;
mod counts_unsafe;
mod deliver_unsafe;
mod dispatch_user_unsafe;
mod entry_unsafe;
mod frame_unsafe;
mod gates_unsafe;
mod gs_unsafe;
mod head;
mod hooks;
mod image_unsafe;
mod interest;
mod later_unsafe;
pub mod marks;
mod masks_unsafe;
mod pool_unsafe;
mod prepared_unsafe;
mod rewritten_unsafe;
mod scan_unsafe;
mod seccomp_unsafe;
mod signal;
mod sigsys_unsafe;
mod sites_unsafe;
mod slow_unsafe;
mod start_unsafe;
mod strict_unsafe;
mod symbols_unsafe;
mod sys;
mod trampoline;

pub use hooks::{Answer, Call, Fork, Hooks, Interest};
pub use image_unsafe::Image;
pub use start_unsafe::{start, tell_libraries_are_mapped, trap};
pub use strict_unsafe::refuse_families;

/// The task that the calling thread belongs to, as [`Hooks::before_fork`] numbered it; 0: the process.
#[must_use]
pub fn task() -> usize {
    block_unsafe::task()
}

/// Where the calling thread's paths start, as [`set_place`] said; 0: where its process's do.
#[must_use]
pub fn place() -> usize {
    block_unsafe::place()
}

/// From now on the calling thread's paths start elsewhere than its process's. Threads that it makes are told of by
/// [`Hooks::child_place`]. Answers where they started before.
pub fn set_place(place: usize) -> usize {
    block_unsafe::set_place(place)
}

/// How many calls the trap has caught in this process.
#[must_use]
pub fn traps() -> u64 {
    counts_unsafe::traps()
}
