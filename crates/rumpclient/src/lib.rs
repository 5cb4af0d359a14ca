//! librumpclient: rumpclient(3) for programs written in C.
//!
//! A program that calls it lives in two kernels: its own system calls are the host's, those named `rump_sys_*` the rump
//! kernel's, each with descriptors of its own. What the functions do is in the manual page; here is how:
//!
//! * Each process has one [session](client::Session), whatever the number of its threads. A child of vfork(2), which shares its
//!   parent's memory, has one of its own in `process_unsafe`.
//! * Signals are blocked during each call (`signals_unsafe`), so that no handler runs while a lock is held; a call that waits
//!   learns of them by a descriptor, ends, and lets the handlers run.
//! * Memory comes from an allocator of our own: a handler may make calls while the program is inside malloc(3).
#![deny(missing_docs)]

pub mod calls_unsafe;
mod environment;
mod exec_unsafe;
mod fork_unsafe;
pub mod functions_unsafe;
mod process_unsafe;
pub mod select_unsafe;
mod signals_unsafe;

pub use fork_unsafe::Fork;

#[global_allocator]
static HEAP: host::Heap = host::Heap;
