//! Syscall User Dispatch (Documentation/admin-guide/syscall-user-dispatch.rst): a call made by an instruction
//! outside of this object raises SIGSYS.
//!
//! It costs each call of the host's 37 ns, so a process goes without as long as it has one thread and no code but such as is known to
//! hold no call that is not rewritten ([`need`]). It is a thread's affair: what others have cannot be changed.

use crate::block_unsafe::current;
use crate::counts_unsafe;
use crate::entry_unsafe::{enter, image_end, image_start, restorer, trap, trap_native};
use crate::gs_unsafe;
use crate::signal::{AUDIT_ARCH_X86_64, KernelAction, SIGSYS, Siginfo, Ucontext};
use abi::{Errno, nr};
use core::sync::atomic::{AtomicBool, Ordering};

/// linux/prctl.h
pub(crate) const PR_SET_SYSCALL_USER_DISPATCH: u64 = 59;
const PR_SYS_DISPATCH_ON: usize = 1;
/// asm-generic/siginfo.h
const SYS_USER_DISPATCH: i32 = 2;

static ON: AtomicBool = AtomicBool::new(false);

/// Installs the handler, so that dispatch can be switched on.
///
/// # Errors
/// The host's.
pub(crate) fn prepare() -> Result<(), Errno> {
    let action = KernelAction::trap(trap(), restorer());
    // SAFETY: the handler does nothing but edit its own frame and block.
    Errno::from_rax(unsafe {
        host::syscall(nr::RT_SIGACTION, [SIGSYS as usize, &raw const action as usize, 0, 8, 0, 0])
    })?;
    // A mask is inherited over exec; a trap with SIGSYS blocked kills.
    let sigsys = 1_u64 << (SIGSYS - 1);
    // SAFETY: SIG_UNBLOCK of one signal.
    unsafe { host::syscall(nr::RT_SIGPROCMASK, [1, &raw const sigsys as usize, 0, 8, 0, 0]) };
    Ok(())
}

/// From now on there may be code whose calls are not rewritten, or other threads, which could bring some: dispatch is switched on, for
/// good. Until then the process has had one thread, the calling one, but for those that wait for a child of vfork(2). Answers whether
/// it is on; Linux before 5.11 has none.
pub(crate) fn need() -> bool {
    let on = ON.load(Ordering::Acquire) || switch_on().is_ok();
    ON.store(on, Ordering::Release);
    on
}

/// In a thread that has waited for its child of vfork(2), to which `before` applied: the child may have needed it.
pub(crate) fn follow(before: bool) {
    if !before {
        restart();
    }
}

/// Whether it has been switched on.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Acquire)
}

/// In the child of a fork: dispatch is off there.
pub(crate) fn restart() {
    if is_on() {
        let _ = switch_on();
    }
}

/// The range that may make calls, as start and length. The kernel tests the address behind the instruction. 0, 0
/// without dispatch.
pub(crate) fn range() -> [u64; 2] {
    if is_on() { [image_start(), image_end() - image_start()] } else { [0, 0] }
}

fn switch_on() -> Result<(), Errno> {
    let (start, len) = (image_start() as usize, (image_end() - image_start()) as usize);
    let args = [PR_SET_SYSCALL_USER_DISPATCH as usize, PR_SYS_DISPATCH_ON, start, len, 0, 0];
    // SAFETY: without a selector the kernel writes nowhere.
    Errno::from_rax(unsafe { host::syscall(nr::PRCTL, args) }).map(drop)
}

/// The SIGSYS handler: points the program at the entry, as a trampoline would. All signals are blocked. Answers the program's
/// handler to run on this frame, or 0.
pub(crate) extern "C" fn trapped(_: i32, info: *mut Siginfo, context: *mut Ucontext) -> u64 {
    // SAFETY: the kernel passes a siginfo and a context that are valid until this returns; every thread that can be
    // dispatched has a block.
    unsafe {
        if (*info).code != SYS_USER_DISPATCH {
            return crate::sigsys_unsafe::foreign(info, context);
        }
        let registers = &mut (*context).registers;
        if (*info).arch != AUDIT_ARCH_X86_64 {
            // int 0x80: numbers and arguments are those of another kind of program, which kernels may be built without.
            registers.rax = Errno::ENOSYS.to_rax() as u64;
            return 0;
        }
        counts_unsafe::trapped(registers.rip);
        let block = current();
        (*block).trap_return = registers.rip;
        (*block).program_gs = gs_unsafe::of_program();
        registers.rcx = trap_native();
        registers.rip = enter();
    }
    0
}
