//! librumphijack.so: what a library needs that uses no libc. Everything else is in **hijack** and **intercept**.

// `cargo test NAME` builds this as a test too, in spite of Cargo.toml; then there must be nothing here.
#![cfg_attr(not(test), no_std)]

#[cfg(not(test))]
extern crate alloc;

#[cfg(not(test))]
mod begin;
#[cfg(not(test))]
mod begin_unsafe;
#[cfg(not(test))]
mod entry_unsafe;
#[cfg(not(test))]
mod memory_unsafe;
#[cfg(not(test))]
mod netbsd_unsafe;
#[cfg(not(test))]
mod program_unsafe;

#[cfg(not(test))]
#[global_allocator]
static HEAP: host::Heap = host::Heap;

/// Nothing here panics knowingly. If it does all the same, the program's state cannot be trusted any more.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    let _ = host::write(2, b"librumphijack: internal error\n");
    host::exit_group(125)
}
