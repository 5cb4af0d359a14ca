//! The host's system calls for code without libc.
//!
//! All of them enter the kernel through one [gadget](gadget_unsafe), a few bytes of code that can be moved: where Syscall
//! User Dispatch is on, only calls from one range of addresses pass, and the gadget is copied there. The wrappers
//! here are thin: what a call means is in its manual page, errors are the host's.
#![no_std]
#![deny(missing_docs)]

mod calls_unsafe;
mod fd;
pub mod gadget_unsafe;
mod heap_unsafe;
mod memory_unsafe;
mod message_unsafe;
mod run_unsafe;
mod shared_unsafe;

pub use calls_unsafe::{
    close, descriptor_limit, dup_above, eventfd, exit_group, fcntl, futex_wait, futex_wake, geteuid, getpid,
    gettid, has_user_dispatch, map_anonymous, monotonic_ns, peek, peer_uid, poll_readable, read, read_link,
    sched_yield, set_process_name, shutdown, sleep_ns, so_cookie, socket_connect, socket_error, tgkill,
    wait_readable, write,
};
pub use fd::Fd;
pub use gadget_unsafe::{interruptible, syscall};
pub use heap_unsafe::{Heap, Held as HeldHeap, hold as hold_heap};
pub use memory_unsafe::{can_read, copy_in, copy_in_string, copy_out, forget_pages};
pub use message_unsafe::{FDS_MAX, PARTS_MAX, Part, Received, receive, send};
pub use run_unsafe::run;
pub use shared_unsafe::SharedWords;

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: `EAGAIN`.
    No,
    /// Until it is done, whatever signal's handler is deferred meanwhile.
    Yes,
    /// Until it is done or a signal comes (`EINTR`), even one whose handler was deferred just before.
    Interruptible,
}
