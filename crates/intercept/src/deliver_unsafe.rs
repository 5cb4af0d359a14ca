//! The wrapper in front of each of the program's signal handlers.
//!
//! A handler must find the program where it is: at its own `syscall` instruction or behind it, not in a trampoline
//! (unwinding, cancellation and glibc from 2.41 on look at that), and never in the middle of compiled code of ours.

use crate::block_unsafe::{Block, try_current};
use crate::entry_unsafe::{
    FOUND_STACK, child_unmasked, enter, entered, exit, exit_end, found, found_end, map_made, map_native,
    ours, saved, trap_native, trap_native_end, unmasked,
};
use crate::signal::{SIG_DFL, SIG_IGN, SIGSYS, SYNCHRONOUS, Siginfo, Ucontext, bit};
use crate::{actions_unsafe, dispatch_user_unsafe, gs_unsafe, masks_unsafe, rewritten_unsafe};
use abi::nr;
use core::sync::atomic::Ordering;

/// `syscall` is two bytes.
const CALL_SIZE: u64 = 2;
const SIG_SETMASK: usize = 2;
/// `siginfo_t` is 128 bytes.
const SIGINFO_WORDS: usize = 16;

/// Answers the handler to run, or 0.
pub(crate) extern "C" fn deliver(signal: i32, info: *const Siginfo, context: *mut Ucontext) -> u64 {
    let signal = signal.cast_unsigned();
    let handler = actions_unsafe::program_handler(signal);
    // SAFETY: the kernel's arguments are valid until the handler returns.
    let mut before = unsafe { (*context).mask };
    if let Some(block) = try_current() {
        // SAFETY: as above; the block lives as long as the thread.
        unsafe {
            before = masks_unsafe::in_force(&*block, &*context);
            if settle(&mut *block, signal, info, &mut *context) {
                return 0;
            }
        }
    }
    if matches!(handler, SIG_DFL | SIG_IGN) {
        return 0;
    }
    // All are blocked up to here, so that what else comes finds the program where this one left it.
    set_mask(actions_unsafe::mask_during(signal, before));
    handler
}

/// The mask that the kernel would have set for the program's handler.
pub(crate) fn set_mask(mask: u64) {
    // SAFETY: the mask lives as long as the call.
    unsafe { host::syscall(nr::RT_SIGPROCMASK, [SIG_SETMASK, &raw const mask as usize, 0, 8, 0, 0]) };
}

/// Moves the context to where the program is. Answers `true` if it is in compiled code of ours: then the signal is
/// kept for later.
///
/// # Safety
/// `info` must be a whole `siginfo_t`.
pub(crate) unsafe fn settle(
    block: &mut Block,
    signal: u32,
    info: *const Siginfo,
    context: &mut Ucontext,
) -> bool {
    let rip = context.registers.rip;
    let entering = (enter()..entered()).contains(&rip) && !block.on_own_stack(context.registers.rsp);
    let leaving = (exit()..exit_end()).contains(&rip) || rip == unmasked() || rip == child_unmasked();
    if leaving || entering && rip >= saved() {
        finish(block, context);
    } else if entering {
        // SAFETY: there the stack holds what the way in has put on it.
        unsafe { go_back(block, context) };
    }
    if normalise(block, context) {
        return false;
    }
    let compiled = block.on_own_stack(context.registers.rsp);
    // SAFETY: the caller's promise.
    let caused_here = SYNCHRONOUS & bit(signal) != 0 && unsafe { (*info).is_by_kernel() };
    if !compiled || caused_here {
        return false;
    }
    // SAFETY: the caller's promise.
    unsafe { defer(block, info, context) };
    true
}

/// Undoes the way in.
///
/// # Safety
/// The context is between `intercept_enter` and `intercept_saved`, on the program's stack.
unsafe fn go_back(block: &Block, context: &mut Ucontext) {
    let registers = &mut context.registers;
    if (found()..found_end()).contains(&registers.rip) {
        // SAFETY: the caller's promise.
        let saved = unsafe { *(registers.rsp as *const [u64; 2]) };
        [registers.rcx, registers.rax] = saved;
        registers.rsp += FOUND_STACK as u64;
    }
    if (ours()..saved()).contains(&registers.rip) {
        gs_unsafe::restore(block.program_gs);
    }
    registers.rip = registers.rcx;
}

/// Completes the way out: the frame has all that the program is to find.
fn finish(block: &Block, context: &mut Ucontext) {
    gs_unsafe::restore(block.program_gs);
    let (frame, registers) = (&block.frame, &mut context.registers);
    registers.rax = frame.rax;
    [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] = frame.args;
    registers.rbx = frame.rbx;
    registers.rbp = frame.rbp;
    registers.r12 = frame.r12;
    registers.r13 = frame.r13;
    registers.r14 = frame.r14;
    registers.r15 = frame.r15;
    registers.rsp = frame.rsp;
    registers.rip = frame.target;
}

/// From a trampoline, or the trap's way out, to the program's instruction. Answers whether it was one.
fn normalise(block: &Block, context: &mut Ucontext) -> bool {
    let registers = &mut context.registers;
    if (map_native()..=map_made()).contains(&registers.rip) {
        let made = if registers.rip == map_native() { 0 } else { CALL_SIZE };
        registers.rip = block.map_target + made;
        // What is mapped is not looked at now.
        let _ = dispatch_user_unsafe::need();
    }
    if (trap_native()..trap_native_end()).contains(&registers.rip) {
        let made = if registers.rip == trap_native() { CALL_SIZE } else { 0 };
        registers.rip = block.trap_return - made;
        gs_unsafe::restore(block.program_gs);
    } else if let Some(rip) = rewritten_unsafe::program_address(registers.rip) {
        registers.rip = rip;
    } else {
        return false;
    }
    masks_unsafe::restore(block, registers);
    true
}

/// Keeps the signal until the call returns to the program, and lets no other in. A call of ours that waits ends.
///
/// # Safety
/// `info` must be a whole `siginfo_t`.
unsafe fn defer(block: &mut Block, info: *const Siginfo, context: &mut Ucontext) {
    // SAFETY: the caller's promise; both are aligned to eight bytes.
    let words = unsafe { *info.cast::<[u64; SIGINFO_WORDS]>() };
    if block.pending.load(Ordering::Acquire) != 0 {
        // Somebody has sent one of those that cannot be blocked as long as program code runs. None runs until the first is raised.
        send_again(&words);
        context.mask |= bit(words[0] as u32);
        return;
    }
    block.info = words;
    block.saved_mask = context.mask & !bit(SIGSYS);
    block.pending.store(1, Ordering::Release);
    context.mask = !SYNCHRONOUS;
    let (base, gadget) = (host::gadget_unsafe::base() as u64, host::gadget_unsafe::offsets());
    let waiting = base + gadget.interruptible as u64..=base + gadget.entering as u64;
    if waiting.contains(&context.registers.rip) {
        context.registers.rip = base + gadget.interrupted as u64;
    }
}

/// Sends the deferred signal to this thread once more. The caller unblocks what the program does not want blocked.
pub(crate) extern "C" fn raise(block: *mut Block) {
    // Those too that could still be deferred: by now it would be to a call that is over.
    set_mask(!0);
    // SAFETY: the block is the calling thread's, and with all signals blocked nothing else touches it.
    unsafe {
        if (*block).info[0] & 0x7f != 0 {
            send_again(&(*block).info);
            (*block).info[0] = 0;
        }
        (*block).pending.store(0, Ordering::Release);
    }
}

fn send_again(info: &[u64; SIGINFO_WORDS]) {
    let signal = info[0] & 0x7f;
    let (pid, tid) = (host::getpid(), host::gettid());
    let args = [pid as usize, tid as usize, signal as usize, info.as_ptr() as usize, 0, 0];
    // SAFETY: the kernel reads a whole `siginfo_t`.
    if unsafe { host::syscall(nr::RT_TGSIGQUEUEINFO, args) } < 0 {
        // RLIMIT_SIGPENDING: without its information rather than not at all.
        let _ = host::tgkill(pid, tid, signal as u32);
    }
}
