//! The Linux x86-64 system call ABI as data.
//!
//! What everything else agrees on: the [table] of system calls, [error numbers](Errno) and the
//! [layouts](layout) of the structures that calls pass by address. No code here does anything: deciding,
//! sending and serving a call happen in the crates above, and all three read the same row.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod counts;
mod errno;
pub mod layout;
pub mod nr;
pub mod prefix;
pub mod private;
pub mod prototype;
pub mod table;

pub use errno::Errno;
/// Constants of the Linux headers (`O_CREAT`, `AF_INET`, …), as the kernel's own headers spell them.
pub use linux_raw_sys as raw;
