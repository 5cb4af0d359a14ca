//! Gates: where the calls of rewritten sites enter the host's kernel.
//!
//! A gate is a `syscall` and a jump through a table to where its site goes on. All of them are in this object's image, which is
//! the one range that Syscall User Dispatch lets make calls; trampolines, which hold none, may lie anywhere and be
//! shared between processes.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// More than the objects of any program have: libc and ld.so have 572 together.
const GATES: usize = 4096;
/// `syscall`, `jmp *disp32(%rip)`.
pub(crate) const SIZE: u64 = 8;

static BACK: [AtomicU64; GATES] = [const { AtomicU64::new(0) }; GATES];
static USED: AtomicU32 = AtomicU32::new(0);

global_asm!(
    ".pushsection .text.intercept_gates,\"ax\",@progbits",
    ".p2align 4",
    ".hidden intercept_gates",
    ".globl intercept_gates",
    "intercept_gates:",
    ".set intercept_gate, 0",
    ".rept {gates}",
    "syscall",
    "jmp qword ptr [rip + {back} + intercept_gate]",
    ".set intercept_gate, intercept_gate + 8",
    ".endr",
    // Syscall User Dispatch tests the address behind the instruction.
    "ud2",
    ".popsection",
    gates = const GATES,
    back = sym BACK,
);

unsafe extern "C" {
    static intercept_gates: u8;
}

/// The address of the first gate.
pub(crate) fn base() -> u64 {
    &raw const intercept_gates as u64
}

/// The number of the gate that an address is in, and how far inside.
pub(crate) fn find(rip: u64) -> Option<(u32, u64)> {
    let offset = rip.checked_sub(base()).filter(|offset| *offset < GATES as u64 * SIZE)?;
    Some(((offset / SIZE) as u32, offset % SIZE))
}

/// The next free gate's number.
pub(crate) fn next() -> u32 {
    USED.load(Ordering::Relaxed)
}

/// Takes the next gates. `None`: there are not so many.
pub(crate) fn claim(count: usize) -> Option<u32> {
    let take = |used: u32| used.checked_add(u32::try_from(count).ok()?).filter(|used| *used <= GATES as u32);
    USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()
}

/// Where a gate leads back to.
pub(crate) fn set_back(gate: u32, address: u64) {
    if let Some(slot) = BACK.get(gate as usize) {
        slot.store(address, Ordering::Relaxed);
    }
}
