//! Disk images: found out, opened, gone through, changed. `fuzz/seeds` makes images to begin with.
//!
//! Crates that read images may panic: the server outlives that (`server/src/disks/worker.rs`). What is looked for is what it
//! would not outlive: an operation that never ends, or takes all memory or stack, and panics of our own.

#![no_main]

#[path = "../disk.rs"]
mod disk;
#[path = "../../crates/image/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

fn let_others_panic() {
    set_hook(Box::new(|info| {
        if info.location().is_some_and(|at| at.file().contains("crates/")) {
            eprintln!("{info}");
            std::process::abort();
        }
    }));
}

fuzz_target!(init: let_others_panic(), |bytes: &[u8]| {
    let Some(disk) = disk::of(bytes) else { return };
    let _ = catch_unwind(AssertUnwindSafe(|| support::use_disk(disk)));
});
