//! A SIGSYS that is no trap of ours: seccomp(2), kill(2).

use crate::block_unsafe::try_current;
use crate::entry_unsafe::restorer;
use crate::frame_unsafe::{Handler, is_elsewhere, move_to_interrupted};
use crate::signal::{KernelAction, SA_ONSTACK, SA_RESTORER, SIG_DFL, SIG_IGN, SIGSYS, Siginfo, Ucontext};
use crate::{actions_unsafe, deliver_unsafe, masks_unsafe, strict_unsafe};
use abi::nr;

/// asm-generic/siginfo.h
const SYS_SECCOMP: i32 = 1;

/// Has the program's handler run, if it has one, else the process ends. Answers the handler to run on this frame, or 0.
///
/// # Safety
/// The arguments must be those of a signal handler, and all signals be blocked.
pub(crate) unsafe fn foreign(info: *mut Siginfo, context: *mut Ucontext) -> u64 {
    // SAFETY: the caller's promise.
    let by_seccomp = unsafe {
        if strict_unsafe::refused(info, context) {
            return 0;
        }
        (*info).code == SYS_SECCOMP
    };
    match actions_unsafe::program_handler(SIGSYS) {
        // What the kernel forces on a thread cannot be ignored.
        SIG_IGN if !by_seccomp => 0,
        SIG_DFL | SIG_IGN => {
            die();
            0
        }
        // SAFETY: as above.
        handler => unsafe { run(handler, info, context) },
    }
}

/// # Safety
/// As [`foreign`]; the program has installed this address.
unsafe fn run(handler: u64, info: *mut Siginfo, context: *mut Ucontext) -> u64 {
    // SAFETY: the kernel's arguments are valid until the handler returns; the block lives as long as the thread.
    unsafe {
        let mut before = (*context).mask;
        if let Some(block) = try_current() {
            before = masks_unsafe::in_force(&*block, &*context);
            if deliver_unsafe::settle(&mut *block, SIGSYS, info, &mut *context) {
                return 0;
            }
        }
        if (*info).code == SYS_SECCOMP {
            // The handlers of sandboxes insist on both being the same place.
            (*info).call_addr = (*context).registers.rip;
        }
        let action = actions_unsafe::sigsys();
        let mask = actions_unsafe::mask_during(SIGSYS, before);
        actions_unsafe::sigsys_is_delivered();
        let restorer = if action.flags & SA_RESTORER == 0 { restorer() } else { action.restorer };
        if action.flags & SA_ONSTACK == 0 && is_elsewhere(&*context) {
            let handler = Handler { signal: SIGSYS, address: handler, restorer, mask };
            move_to_interrupted(handler, info, context);
            return 0;
        }
        // The frame begins with the address that the handler returns to.
        *context.cast::<u64>().sub(1) = restorer;
        deliver_unsafe::set_mask(mask);
        handler
    }
}

/// Ends the process by SIGSYS, once the handler that this is called from has returned.
fn die() {
    let default = KernelAction::trap(SIG_DFL, 0);
    // SAFETY: the default action; the signal is blocked until the handler returns.
    unsafe {
        host::syscall(nr::RT_SIGACTION, [SIGSYS as usize, &raw const default as usize, 0, 8, 0, 0]);
    }
    let _ = host::tgkill(host::getpid(), host::gettid(), SIGSYS);
}
