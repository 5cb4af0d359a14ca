//! Loads an ELF program into the calling process as execve(2) would.
//!
//! ld.so loads librumphijack.so into programs that it links. Where there is no ld.so (static programs) or it cannot find the
//! program (one that lies in the rump kernel), the library is itself what execve(2) is given: it maps the program, corrects
//! the stack that the kernel made, starts to catch calls, and jumps. Nothing here catches anything.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod elf;
mod load;
mod map_unsafe;
mod order;
mod stack_unsafe;

pub use load::{Loaded, load};
pub use order::{Order, RUN_VARIABLE, VARIABLE};
pub use stack_unsafe::{Stack, enter};
