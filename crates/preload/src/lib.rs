//! librumphijack.so: what a library needs that uses no libc. Everything else is in **hijack** and **intercept**.
#![no_std]

mod entry_unsafe;
mod memory_unsafe;

#[global_allocator]
static HEAP: intercept::Heap = intercept::Heap;

/// Nothing here panics knowingly. If it does all the same, the program's state cannot be trusted any more.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    let _ = host::write(2, b"librumphijack: internal error\n");
    host::exit_group(125)
}
