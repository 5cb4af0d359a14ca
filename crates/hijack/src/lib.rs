//! Whose call is it, and carrying it out: the part of librumphijack.so between **intercept**, which catches
//! system calls, and **client**, which talks to the rump kernel.
//!
//! Everything here runs inside other people's programs: in signal handlers, in vfork children, under malloc.
//! It never panics, holds no lock while program code can run, and knows no libc.

#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod config;
pub mod fds;
pub mod path;
