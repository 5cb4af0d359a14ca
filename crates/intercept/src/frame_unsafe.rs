//! A signal's frame, moved from the alternate stack to where the kernel puts it for a handler without `SA_ONSTACK`.
//!
//! Our SIGSYS handler runs on the alternate stack, because a trapped call may come from a stack of 2 KiB. A handler of the
//! program's that did not ask for that stack may need more than there is.

use crate::signal::{Siginfo, Ucontext};
use core::ptr;

/// What a function may keep below `%rsp` (System V ABI, AMD64).
const RED_ZONE: u64 = 128;
/// asm/sigcontext.h: where in the state `struct _fpx_sw_bytes` is, and what it begins with if more than FXSAVE's is there.
const SW_BYTES: u64 = 464;
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
const FXSAVE_SIZE: u64 = 512;
/// What XSAVE demands.
const XSAVE_ALIGN: u64 = 64;
/// asm/processor-flags.h: trap, direction and resume flag, which the kernel clears for handlers.
const CLEARED_FLAGS: u64 = 1 << 8 | 1 << 10 | 1 << 16;
/// asm-generic/signal-defs.h
const SS_DISABLE: u64 = 2;
const SS_AUTODISARM: u64 = 1 << 31;

/// `struct rt_sigframe` (arch/x86/include/asm/sigframe.h).
#[repr(C)]
struct SignalFrame {
    restorer: u64,
    context: Ucontext,
    info: [u64; 16],
}

/// What runs on the moved frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handler {
    pub(crate) signal: u32,
    pub(crate) address: u64,
    pub(crate) restorer: u64,
    /// The signals that are blocked meanwhile.
    pub(crate) mask: u64,
}

/// Whether the kernel has left the interrupted stack for the alternate one.
pub(crate) fn is_elsewhere(context: &Ucontext) -> bool {
    let [start, _, size] = context.stack;
    let rsp = context.registers.rsp;
    // on_sig_stack() in linux/sched/signal.h
    size != 0 && !(rsp > start && rsp - start <= size)
}

/// Copies the frame to the interrupted stack, and makes rt_sigreturn(2) to `context` begin the handler there.
///
/// # Safety
/// Both pointers are a signal handler's arguments.
pub(crate) unsafe fn move_to_interrupted(handler: Handler, info: *const Siginfo, context: *mut Ucontext) {
    // SAFETY: the caller's promise. The kernel would write to the same place, and a fault ends the process as it would there:
    // all signals are blocked.
    unsafe {
        let context = &mut *context;
        let mut at = context.registers.rsp - RED_ZONE;
        let fpstate = context.fpstate;
        if fpstate != 0 {
            let size = state_size(fpstate);
            at = (at - size) & !(XSAVE_ALIGN - 1);
            ptr::copy_nonoverlapping(fpstate as *const u8, at as *mut u8, size as usize);
        }
        let state = if fpstate == 0 { 0 } else { at };
        // As behind a call instruction.
        at = ((at - size_of::<SignalFrame>() as u64) & !15) - 8;
        let frame = at as *mut SignalFrame;
        (*frame).restorer = handler.restorer;
        ptr::copy_nonoverlapping(ptr::from_ref(context), &raw mut (*frame).context, 1);
        (*frame).context.fpstate = state;
        (*frame).info = *info.cast();
        let arguments = [&raw const (*frame).info as u64, &raw const (*frame).context as u64];
        begin(context, handler, at, arguments);
    }
}

/// The context of a handler's first instruction.
fn begin(context: &mut Ucontext, handler: Handler, rsp: u64, [info, ucontext]: [u64; 2]) {
    let registers = &mut context.registers;
    registers.rip = handler.address;
    registers.rsp = rsp;
    registers.rdi = u64::from(handler.signal);
    registers.rsi = info;
    registers.rdx = ucontext;
    registers.rax = 0;
    context.eflags &= !CLEARED_FLAGS;
    context.fpstate = 0;
    context.mask = handler.mask;
    if context.stack[1] & SS_AUTODISARM != 0 {
        context.stack = [0, SS_DISABLE, 0];
    }
}

/// How long the state of the floating point and vector registers is.
///
/// # Safety
/// The address must be one that the kernel has put into a context.
unsafe fn state_size(fpstate: u64) -> u64 {
    // SAFETY: the caller's promise.
    let [magic, size] = unsafe { *((fpstate + SW_BYTES) as *const [u32; 2]) };
    if magic == FP_XSTATE_MAGIC1 { u64::from(size) } else { FXSAVE_SIZE }
}
