//! A caught call, in compiled code: what this crate has to do itself, and the question to the hooks.

use crate::block_unsafe::Block;
use crate::dispatch_user_unsafe::PR_SET_SYSCALL_USER_DISPATCH;
use crate::entry_unsafe::{restorer, thread_exit, trap_native};
use crate::hooks::{Answer, Call, Hooks, Interest};
use crate::signal::{MASK_AT, RIP_AT, SA_RESTART, SIGSYS, X32, bit};
use crate::sites_unsafe::PAGE;
use crate::{
    actions_unsafe, clone_unsafe, counts_unsafe, gs_unsafe, interest, later_unsafe, marks, masks_unsafe,
    rewritten_unsafe, seccomp_unsafe, start_unsafe,
};
use abi::{Errno, nr};
use core::sync::atomic::{AtomicPtr, Ordering};

/// linux/errno.h
const ERESTARTSYS: isize = -512;
/// asm/prctl.h
const ARCH_SET_GS: u64 = 0x1001;
const ARCH_GET_GS: u64 = 0x1004;
/// asm-generic/mman-common.h
const MAP_FIXED: u64 = 0x10;
/// asm-generic/mman-common.h
const PROT_WRITE: u64 = 2;
/// `syscall` is two bytes.
const CALL_SIZE: u64 = 2;

static HOOKS: AtomicPtr<Hooks> = AtomicPtr::new(core::ptr::null_mut());

/// The hooks from now on.
pub(crate) fn set_hooks(hooks: &'static Hooks) {
    HOOKS.store(core::ptr::from_ref(hooks).cast_mut(), Ordering::Release);
}

/// The hooks.
pub(crate) fn hooks() -> &'static Hooks {
    // SAFETY: `set_hooks` runs before the first call is caught, and only it stores here.
    unsafe { &*HOOKS.load(Ordering::Acquire) }
}

/// Called by `intercept_enter` on our stack.
pub(crate) extern "C" fn slow(block: *mut Block) {
    // SAFETY: the block is the calling thread's, and only signal handlers on this thread share it.
    let frame = unsafe { (*block).frame };
    if later_unsafe::mapped(block) {
        return;
    }
    counts_unsafe::call(frame.rax as u32, frame.target == trap_native());
    loop {
        // SAFETY: as above.
        let frame = unsafe { (*block).frame };
        let call = Call { nr: frame.rax as u32, args: frame.args };
        let answer = own(block, &call).unwrap_or_else(|| ask(&call));
        let answer = match answer {
            Answer::Host => masks_unsafe::strip(block, &call),
            done => done,
        };
        match answer {
            Answer::Host => return later_unsafe::watch(block, &call),
            Answer::Done(ERESTARTSYS) if !interrupted(block, frame.target) => {}
            Answer::Done(ERESTARTSYS) => return,
            Answer::Done(value) => {
                later_unsafe::carried_out(&call);
                return done(block, value);
            }
        }
    }
}

/// Leaves behind the call with this value.
fn done(block: *mut Block, value: isize) {
    // SAFETY: as in `slow`.
    unsafe {
        (*block).frame.rax = value as u64;
        (*block).frame.target += CALL_SIZE;
    }
}

/// A signal ended the call. With a handler to be run the call fails or, by SA_RESTART, is made again by the program
/// after it; without one it is made again here (`false`).
fn interrupted(block: *mut Block, target: u64) -> bool {
    // SAFETY: as in `slow`.
    let (pending, signal) =
        unsafe { ((*block).pending.load(Ordering::Acquire), ((*block).info[0] & 0x7f) as u32) };
    if pending == 0 {
        return false;
    }
    if actions_unsafe::flags(signal) & SA_RESTART == 0 {
        done(block, Errno::EINTR.to_rax());
        return true;
    }
    // SAFETY: as in `slow`.
    unsafe {
        let again = if target == trap_native() {
            (*block).trap_return - CALL_SIZE
        } else {
            rewritten_unsafe::restart_address(target).unwrap_or(target)
        };
        (*block).frame.target = again;
    }
    true
}

/// Asks the hooks, unless the number and the descriptor say that they need not be asked.
fn ask(call: &Call) -> Answer {
    let asked = match interest::of(call.nr) {
        Interest::Never => false,
        Interest::IfMarkedOrSocket => {
            interest::is_of_sockets(call.args[1]) || marks::is_set(call.args[0] as u32)
        }
        Interest::IfMarked(at) => call.args.get(usize::from(at)).is_none_or(|&fd| marks::is_set(fd as u32)),
        Interest::Always => true,
    };
    if asked { (hooks().dispatch)(call) } else { Answer::Host }
}

/// The calls that this crate answers itself or prepares.
fn own(block: *mut Block, call: &Call) -> Option<Answer> {
    Some(match call.nr {
        nr::RT_SIGACTION => actions_unsafe::rt_sigaction(&call.args),
        nr::RT_SIGRETURN => return_from_signal(block),
        nr::SIGALTSTACK => alternate_stack(block, call),
        nr::CLONE | nr::CLONE3 | nr::FORK | nr::VFORK => clone_unsafe::clone(block, call),
        nr::EXIT => exit(block),
        // Nested dispatch cannot be had: there is one range and one handler.
        nr::PRCTL if call.args[0] == PR_SET_SYSCALL_USER_DISPATCH => Answer::Done(Errno::EINVAL.to_rax()),
        nr::SECCOMP | nr::PRCTL if seccomp_unsafe::confines(call) => confine(block, call),
        nr::SECCOMP | nr::PRCTL => {
            let at = seccomp_unsafe::installs(call.nr, &call.args)?;
            seccomp_unsafe::install(call.nr, call.args, at)
        }
        nr::MUNMAP | nr::MREMAP | nr::MPROTECT | nr::PKEY_MPROTECT => take_away(call),
        nr::REMAP_FILE_PAGES | nr::BRK | nr::SHMDT => take_away(call),
        nr::MMAP if call.args[3] & MAP_FIXED != 0 => {
            host::forget_pages();
            return None;
        }
        nr::ARCH_PRCTL if call.args[0] == ARCH_SET_GS => set_gs(block, call.args[1]),
        nr::ARCH_PRCTL if call.args[0] == ARCH_GET_GS => get_gs(block, call.args[1]),
        // Kernels without them answer the same.
        X32.. => start_unsafe::libraries_are_mapped(call).unwrap_or(Answer::Done(Errno::ENOSYS.to_rax())),
        _ => return None,
    })
}

/// Makes a call that may take memory away, and lets go of what was known of it.
fn take_away(call: &Call) -> Answer {
    let [start, len, ..] = call.args;
    let addresses = start..start.saturating_add(len.checked_next_multiple_of(PAGE).unwrap_or(len));
    let leaving = (call.nr == nr::MUNMAP).then(|| rewritten_unsafe::leave(&addresses));
    // SAFETY: the program's own call with its own arguments.
    let value = unsafe { host::syscall(call.nr, call.args.map(|arg| arg as usize)) };
    host::forget_pages();
    if let Some(leaving) = leaving {
        leaving.end(value == 0);
    }
    let protects = matches!(call.nr, nr::MPROTECT | nr::PKEY_MPROTECT);
    if protects && value == 0 && call.args[2] & PROT_WRITE != 0 {
        rewritten_unsafe::writable(addresses);
    }
    Answer::Done(value)
}

/// Strict mode (seccomp(2)) kills a thread that makes any other call than read, write, exit and rt_sigreturn: its end is left to
/// the host.
fn confine(block: *mut Block, call: &Call) -> Answer {
    // SAFETY: the program's own call with its own arguments; the block is the calling thread's.
    unsafe {
        let value = host::syscall(call.nr, call.args.map(|arg| arg as usize));
        (*block).host_releases |= value == 0;
        Answer::Done(value)
    }
}

/// What `%gs` is to be once the call has returned.
fn set_gs(block: *mut Block, base: u64) -> Answer {
    Answer::Done(gs_unsafe::allowed(base).map_or_else(Errno::to_rax, |base| {
        // SAFETY: as in `slow`.
        unsafe { (*block).program_gs = base };
        0
    }))
}

/// What the program has set it to.
fn get_gs(block: *mut Block, address: u64) -> Answer {
    // SAFETY: as in `slow`.
    let base = Some(unsafe { (*block).program_gs }).filter(|base| *base != gs_unsafe::NONE).unwrap_or(0);
    let answer = host::copy_out(address, &base.to_ne_bytes());
    Answer::Done(answer.map_or_else(Errno::to_rax, |()| 0))
}

/// Keeps in mind where the program's alternate stack is.
fn alternate_stack(block: *mut Block, call: &Call) -> Answer {
    /// asm-generic/signal-defs.h
    const SS_DISABLE: u32 = 2;
    // SAFETY: the block is the calling thread's.
    if unsafe { (*block).alternate.blocked } != 0 {
        // The host is to see that the thread is on it: it cannot be changed now.
        return Answer::Host;
    }
    // SAFETY: the program's own call with its own arguments, on whichever other stack.
    let value = unsafe { host::syscall(call.nr, call.args.map(|arg| arg as usize)) };
    let mut stack = [0; 24];
    if value == 0 && call.args[0] != 0 && host::copy_in(call.args[0], &mut stack).is_ok() {
        let word = |at: usize| {
            stack.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
        };
        let disabled = word(8) as u32 & SS_DISABLE != 0;
        // SAFETY: the block is the calling thread's.
        let alternate = unsafe { &mut (*block).alternate };
        alternate.size = 0;
        alternate.start = word(0);
        alternate.size = if disabled { 0 } else { word(16) };
    }
    Answer::Done(value)
}

/// A handler may have put SIGSYS into the mask that it returns to, and it may return to a call that was overwritten.
fn return_from_signal(block: *mut Block) -> Answer {
    // SAFETY: as in `slow`.
    let context = unsafe { (*block).frame.rsp };
    change_word(context.wrapping_add(MASK_AT), |mask| mask & !bit(SIGSYS));
    change_word(context.wrapping_add(RIP_AT), rewritten_unsafe::executable);
    // SAFETY: as in `slow`.
    unsafe {
        // Nothing comes behind this call that would give the program its `%gs` back.
        if (*block).frame.target == trap_native() {
            (*block).frame.target = restorer();
        }
    }
    Answer::Host
}

/// Changes a word of the program's, if it is there.
fn change_word(address: u64, change: impl Fn(u64) -> u64) {
    let mut bytes = [0; 8];
    if host::copy_in(address, &mut bytes).is_ok() {
        let word = u64::from_ne_bytes(bytes);
        if change(word) != word {
            let _ = host::copy_out(address, &change(word).to_ne_bytes());
        }
    }
}

/// The thread's block is given back in the last instruction before the call, where the host does not do that.
fn exit(block: *mut Block) -> Answer {
    clone_unsafe::leave_place(block);
    let all = !bit(SIGSYS);
    // SAFETY: the block is the calling thread's.
    if unsafe { (*block).host_releases } {
        return Answer::Host;
    }
    // SAFETY: the block is the calling thread's; blocking signals harms nobody.
    unsafe {
        host::syscall(nr::RT_SIGPROCMASK, [2, &raw const all as usize, 0, 8, 0, 0]);
        (*block).frame.target = thread_exit();
        // It needs `%gs`, and nobody comes back.
        (*block).program_gs = gs_unsafe::NONE;
    }
    Answer::Host
}
