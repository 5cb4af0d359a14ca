//! The way into the host's kernel.

use crate::Wait;
use core::arch::{asm, global_asm};
use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

// Position-independent, so that a copy works anywhere. `%rcx` and `%r11` are the kernel's to destroy, which leaves
// `%rcx` free to say where the thread's pending flag is.
global_asm!(
    ".pushsection .text.host_gadget,\"ax\",@progbits",
    ".p2align 4",
    ".hidden host_gadget_begin",
    ".globl host_gadget_begin",
    "host_gadget_begin:",
    "syscall",
    "ret",
    ".p2align 4",
    ".hidden host_gadget_interruptible",
    ".globl host_gadget_interruptible",
    "host_gadget_interruptible:",
    "cmp dword ptr [rcx], 0",
    "jne host_gadget_interrupted",
    ".hidden host_gadget_entering",
    ".globl host_gadget_entering",
    "host_gadget_entering:",
    "syscall",
    "ret",
    ".hidden host_gadget_interrupted",
    ".globl host_gadget_interrupted",
    "host_gadget_interrupted:",
    "mov rax, -4", // -EINTR
    "ret",
    // Syscall User Dispatch tests the address behind the instruction: leave room behind the last one.
    "nop",
    "nop",
    ".hidden host_gadget_end",
    ".globl host_gadget_end",
    "host_gadget_end:",
    ".popsection",
);

unsafe extern "C" {
    static host_gadget_begin: u8;
    static host_gadget_interruptible: u8;
    static host_gadget_entering: u8;
    static host_gadget_interrupted: u8;
    static host_gadget_end: u8;
}

/// Where the gadget in use begins; null: the copy in our own text.
static BASE: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

/// Answers the address of the calling thread's pending flag (not 0: a signal's handler waits to run); null: none.
static PENDING: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// The flag of threads that have none of their own.
static NEVER: AtomicU32 = AtomicU32::new(0);

/// Offsets into the gadget's code that a signal handler compares an interrupted address with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offsets {
    /// Bytes of code.
    pub len: usize,
    /// From here ...
    pub interruptible: usize,
    /// ... to here, the `syscall` instruction itself, an interruptible call has not entered the kernel yet.
    pub entering: usize,
    /// Continue here to end it with `EINTR`.
    pub interrupted: usize,
}

/// The gadget's code, to be copied elsewhere.
#[must_use]
pub fn code() -> &'static [u8] {
    // SAFETY: the linker places all labels in one section in this order, so the bytes between them are initialised
    // and never written.
    unsafe { core::slice::from_raw_parts(begin(), offsets().len) }
}

/// Where things are in [`code`].
#[must_use]
pub fn offsets() -> Offsets {
    let from_begin = |label: *const u8| label as usize - begin() as usize;
    Offsets {
        len: from_begin(&raw const host_gadget_end),
        interruptible: from_begin(&raw const host_gadget_interruptible),
        entering: from_begin(&raw const host_gadget_entering),
        interrupted: from_begin(&raw const host_gadget_interrupted),
    }
}

fn begin() -> *const u8 {
    &raw const host_gadget_begin
}

/// Where the gadget in use begins.
#[must_use]
pub fn base() -> usize {
    let moved = BASE.load(Ordering::Relaxed);
    if moved.is_null() { begin() as usize } else { moved as usize }
}

/// Enters the kernel through the copy at `base` from now on.
///
/// # Safety
/// An executable copy of [`code`] must lie there for the life of the process.
pub unsafe fn relocate(base: *mut u8) {
    BASE.store(base, Ordering::Release);
}

/// From now on `pending` answers the address of the calling thread's pending flag.
///
/// # Safety
/// The address must be that of an `AtomicU32` that lives as long as the thread.
pub unsafe fn set_pending(pending: extern "C" fn() -> *const AtomicU32) {
    PENDING.store(pending as *mut c_void, Ordering::Release);
}

fn pending() -> *const AtomicU32 {
    let function = PENDING.load(Ordering::Relaxed);
    if function.is_null() {
        return &raw const NEVER;
    }
    // SAFETY: only `set_pending` stores here, and it stores a function of this type.
    let function: extern "C" fn() -> *const AtomicU32 = unsafe { core::mem::transmute(function) };
    function()
}

/// Makes a system call of the host. Answers what the kernel left in `%rax`.
///
/// # Safety
/// As the call itself: addresses must be what it takes them for.
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let rax: isize;
    // SAFETY: the gadget is `syscall; ret`; the kernel destroys rcx and r11 and nothing else.
    unsafe {
        asm!(
            "call {gadget}",
            gadget = in(reg) base(),
            inlateout("rax") nr as usize as isize => rax,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    rax
}

/// Makes a system call that may wait. A signal whose handler was deferred ends it with `-EINTR`, also one that comes
/// just before the kernel is entered.
///
/// # Safety
/// As [`syscall`].
pub unsafe fn interruptible(nr: u32, args: [usize; 6]) -> isize {
    let rax: isize;
    // SAFETY: as in `syscall`; the gadget also reads the flag that rcx points to.
    unsafe {
        asm!(
            "call {gadget}",
            gadget = in(reg) base() + offsets().interruptible,
            inlateout("rax") nr as usize as isize => rax,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            inlateout("rcx") pending() => _,
            lateout("r11") _,
        );
    }
    rax
}

/// Makes the call in the way that suits how long it may wait.
///
/// # Safety
/// As [`syscall`].
pub(crate) unsafe fn enter(wait: Wait, nr: u32, args: [usize; 6]) -> isize {
    match wait {
        // SAFETY: the caller's promise.
        Wait::Interruptible => unsafe { interruptible(nr, args) },
        // SAFETY: the caller's promise.
        Wait::No | Wait::Yes => unsafe { syscall(nr, args) },
    }
}
