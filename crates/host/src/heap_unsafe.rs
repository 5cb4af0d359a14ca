//! Memory for code without libc: size classes on mapped chunks, one lock.
//!
//! The lock is held for a few instructions, by code that no signal handler of the program's interrupts (they are
//! deferred or blocked), and across fork(2), so that the child finds it free.

use crate::gadget_unsafe::syscall;
use abi::nr;
use abi::raw::general::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

const PAGE: usize = 4096;
const CHUNK: usize = 128 * 1024;
/// Classes are powers of two from 16 bytes on; what is larger than the last is mapped for itself. The last is larger than a transfer
/// of 64 KiB with its frame: mapping and unmapping one at each call costs a fault for each page.
const SMALLEST: u32 = 4;
const LARGEST: u32 = 18;
const CLASSES: usize = (LARGEST - SMALLEST + 1) as usize;

/// The allocator of the libraries that run inside other people's programs.
#[derive(Debug)]
pub struct Heap;

struct Pool {
    free: [*mut u8; CLASSES],
    chunk: *mut u8,
    left: usize,
}

struct Shared(UnsafeCell<Pool>);

// SAFETY: only whoever holds `LOCK` reaches into it.
unsafe impl Sync for Shared {}

static POOL: Shared =
    Shared(UnsafeCell::new(Pool { free: [ptr::null_mut(); CLASSES], chunk: ptr::null_mut(), left: 0 }));
static LOCK: AtomicBool = AtomicBool::new(false);

/// Nobody allocates as long as this lives.
#[derive(Debug)]
pub struct Held(());

/// Waits for the lock.
#[must_use]
pub fn hold() -> Held {
    while LOCK.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        // SAFETY: sched_yield(2) takes nothing.
        unsafe { syscall(nr::SCHED_YIELD, [0; 6]) };
    }
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        LOCK.store(false, Ordering::Release);
    }
}

fn map(size: usize) -> *mut u8 {
    let (prot, flags) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    // SAFETY: a new mapping.
    let at = unsafe { syscall(nr::MMAP, [0, size, prot as usize, flags as usize, usize::MAX, 0]) };
    if (-4095..0).contains(&at) { ptr::null_mut() } else { at as *mut u8 }
}

/// The class that holds this layout; `None`: it is mapped.
fn class(layout: &Layout) -> Option<u32> {
    let size = layout.size().max(layout.align()).max(1 << SMALLEST);
    let bits = size.checked_next_power_of_two()?.trailing_zeros();
    (bits <= LARGEST).then_some(bits)
}

impl Pool {
    fn take(&mut self, bits: u32) -> *mut u8 {
        let slot = (bits - SMALLEST) as usize;
        let first = self.free[slot];
        if !first.is_null() {
            // SAFETY: a free block starts with the address of the next.
            self.free[slot] = unsafe { *first.cast::<*mut u8>() };
            return first;
        }
        let size = 1 << bits;
        if size > CHUNK / 4 {
            return map(size);
        }
        // Blocks are aligned to their size, as chunks are carved from their end and are multiples of all sizes.
        let padding = self.left % size;
        if self.left < size + padding {
            self.chunk = map(CHUNK);
            self.left = if self.chunk.is_null() { 0 } else { CHUNK };
        } else {
            self.left -= padding;
        }
        if self.left < size {
            return ptr::null_mut();
        }
        self.left -= size;
        // SAFETY: within the chunk.
        unsafe { self.chunk.add(self.left) }
    }
}

// SAFETY: blocks do not overlap, are aligned to their size (at most a page's alignment is asked for), and belong to one
// owner until they are given back.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(bits) = class(&layout) else {
            let aligned = layout.align() <= PAGE;
            return if aligned { map(layout.size().next_multiple_of(PAGE)) } else { ptr::null_mut() };
        };
        if layout.align() > PAGE {
            return ptr::null_mut();
        }
        let _held = hold();
        // SAFETY: the lock is held.
        unsafe { (*POOL.0.get()).take(bits) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(bits) = class(&layout) else {
            // SAFETY: `alloc` mapped it with this size.
            unsafe {
                syscall(nr::MUNMAP, [block as usize, layout.size().next_multiple_of(PAGE), 0, 0, 0, 0])
            };
            return;
        };
        let _held = hold();
        // SAFETY: the lock is held; the block is large enough for an address, and nobody's any more.
        unsafe {
            let slot = &mut (*POOL.0.get()).free[(bits - SMALLEST) as usize];
            *block.cast::<*mut u8>() = *slot;
            *slot = block;
        }
    }
}
