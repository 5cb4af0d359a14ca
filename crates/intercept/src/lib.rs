//! How the system calls of an unmodified program are caught.
//!
//! Known `syscall` instructions (libc, ld.so) are rewritten at load to jump to a trampoline, which leaves a call to
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
//! * [`task`] tells a vfork child, which shares its parent's memory, from the process.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

mod hooks;
pub mod marks;

pub use hooks::{Answer, Call, Fork, Hooks, Interest};
