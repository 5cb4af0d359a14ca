//! `%gs`, which programs use as well: compilers of WebAssembly address a module's memory by it (wasm2c's "segue", in Firefox).
//!
//! With FSGSBASE a program sets it by an instruction that nobody sees. So a thread that arrives at `intercept_enter` looks whether
//! `%gs` points into the arena, where all blocks lie; else its block is found by the thread's number, and the program gets its
//! own base back on the way out. Without FSGSBASE only arch_prctl(2) sets it, which is refused.

use abi::raw::general::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE};
use abi::{Errno, nr};
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Address space for the blocks of 256 threads. Those of more lie elsewhere, and their calls take longer. It counts in RLIMIT_AS, which
/// daemons set (vsftpd: to 200 MiB).
pub(crate) const ARENA_SIZE: usize = 64 << 20;
/// Of getauxval(3)'s `AT_HWCAP2`.
const HWCAP2_FSGSBASE: u64 = 2;

/// `%gs` points to the thread's block: the program has none of its own.
pub(crate) const NONE: u64 = u64::MAX;

/// Where the arena begins. 0: there is none.
pub(crate) static ARENA: AtomicU64 = AtomicU64::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);
/// Whether the instructions are there.
pub(crate) static FSGSBASE: AtomicBool = AtomicBool::new(false);

/// Before the first block is made. `hwcap2` is the auxiliary vector's.
pub(crate) fn start(hwcap2: u64) {
    FSGSBASE.store(hwcap2 & HWCAP2_FSGSBASE != 0, Ordering::Release);
    let flags = (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE) as usize;
    // SAFETY: a new mapping. Where RLIMIT_AS forbids it there is no arena.
    let mapped =
        unsafe { host::syscall(nr::MMAP, [0, ARENA_SIZE, PROT_NONE as usize, flags, usize::MAX, 0]) };
    if let Ok(base) = Errno::from_rax(mapped) {
        ARENA.store(base as u64, Ordering::Release);
    }
}

/// A piece of the arena, as long as there is one.
pub(crate) fn place(size: usize) -> Option<usize> {
    let base = ARENA.load(Ordering::Acquire);
    let at = TAKEN.fetch_add(size, Ordering::AcqRel);
    (base != 0 && at + size <= ARENA_SIZE).then_some(base as usize + at)
}

/// What the program has in `%gs`, or [`NONE`].
pub(crate) fn of_program() -> u64 {
    if !FSGSBASE.load(Ordering::Acquire) {
        return NONE;
    }
    let base: u64;
    // SAFETY: the instruction is there.
    unsafe {
        core::arch::asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags));
    }
    let ours = base.wrapping_sub(ARENA.load(Ordering::Acquire)) < ARENA_SIZE as u64;
    if ours { NONE } else { base }
}

/// Gives the program its own base back, unless it is [`NONE`].
pub(crate) fn restore(program_gs: u64) {
    if program_gs != NONE {
        // SAFETY: what the program had there; blocks are found without it.
        unsafe {
            core::arch::asm!("wrgsbase {}", in(reg) program_gs, options(nostack, preserves_flags));
        }
    }
}

/// arch_prctl(2), `ARCH_SET_GS`: what the program is to find there from now on, if it can have it.
///
/// # Errors
/// `EPERM`.
pub(crate) fn allowed(base: u64) -> Result<u64, Errno> {
    // TASK_SIZE_MAX, as Linux checks it.
    match FSGSBASE.load(Ordering::Acquire) && base < 1 << 47 {
        true => Ok(base),
        false => Err(Errno::EPERM),
    }
}
