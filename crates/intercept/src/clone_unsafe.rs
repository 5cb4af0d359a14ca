//! fork(2), vfork(2), clone(2) and clone3(2): the child is dispatched, and has a block of its own, before it runs code
//! of the program's.

use crate::block_unsafe::{self, Alternate, Block};
use crate::hooks::{Answer, Call, Fork};
use crate::signal::{SIGSYS, bit};
use crate::sites_unsafe::PAGE;
use crate::slow_unsafe::hooks;
use crate::{dispatch_user_unsafe, entry_unsafe};
use abi::raw::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_FILES, CLONE_FS, CLONE_THREAD, CLONE_VFORK, CLONE_VM,
};
use abi::{Errno, nr};
use core::sync::atomic::Ordering;

/// `struct clone_args` up to and with `tls`, its first published size being 64 (linux/sched.h).
const CLONE_ARGS: usize = 88;
const CLONE_ARGS_MIN: usize = 64;
const CHILD_TID_AT: usize = 16;
const STACK_AT: usize = 40;
const STACK_SIZE_AT: usize = 48;
const SIG_SETMASK: usize = 2;

/// What the call asks for.
struct Wanted {
    flags: u64,
    /// The child's stack pointer; 0: the caller's.
    stack: u64,
}

/// Carries out any of them.
pub(crate) fn clone(block: *mut Block, call: &Call) -> Answer {
    let wanted = match wanted(call) {
        Ok(wanted) => wanted,
        Err(errno) => return Answer::Done(errno.to_rax()),
    };
    let kind = kind(wanted.flags);
    if matches!(kind, Fork::Sharing | Fork::Thread) {
        let _ = dispatch_user_unsafe::need();
    }
    let files = wanted.flags & u64::from(CLONE_FILES) != 0;
    let task = match (hooks().before_fork)(kind, files) {
        Ok(task) => task,
        Err(errno) => return Answer::Done(errno.to_rax()),
    };
    let result = match kind {
        Fork::Process => copy(block, call, &wanted, task),
        Fork::Vfork | Fork::Sharing | Fork::Thread => share(block, call, &wanted, kind, task),
    };
    if kind != Fork::Process || result != 0 {
        let child = Errno::from_rax(result).map(|pid| pid as u32);
        (hooks().after_fork)(kind, task, child);
    }
    Answer::Done(result)
}

fn wanted(call: &Call) -> Result<Wanted, Errno> {
    Ok(match call.nr {
        nr::FORK => Wanted { flags: 0, stack: 0 },
        nr::VFORK => Wanted { flags: u64::from(CLONE_VM | CLONE_VFORK), stack: 0 },
        nr::CLONE => Wanted { flags: call.args[0], stack: call.args[1] },
        _ => {
            let args = clone_args(call)?;
            let word = |at: usize| {
                args.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
            };
            let stack = word(STACK_AT).wrapping_add(word(STACK_SIZE_AT));
            Wanted { flags: word(0), stack }
        }
    })
}

/// The structure of clone3, zero beyond what the program passed.
fn clone_args(call: &Call) -> Result<[u8; CLONE_ARGS], Errno> {
    let size = usize::try_from(call.args[1]).unwrap_or(usize::MAX);
    if size < CLONE_ARGS_MIN {
        return Err(Errno::EINVAL);
    }
    if size > PAGE as usize {
        return Err(Errno::E2BIG);
    }
    let mut bytes = [0; CLONE_ARGS];
    host::copy_in(call.args[0], &mut bytes[..size.min(CLONE_ARGS)])?;
    // What a newer kernel may know, and this one does not (copy_struct_from_user): nothing, or it cannot be done.
    let mut more = alloc::vec![0; size.saturating_sub(CLONE_ARGS)];
    host::copy_in(call.args[0].wrapping_add(CLONE_ARGS as u64), &mut more)?;
    if more.iter().any(|byte| *byte != 0) { Err(Errno::E2BIG) } else { Ok(bytes) }
}

fn kind(flags: u64) -> Fork {
    let has = |flag: u32| flags & u64::from(flag) != 0;
    match () {
        () if !has(CLONE_VM) => Fork::Process,
        () if has(CLONE_THREAD) || (has(CLONE_FILES) && !has(CLONE_VFORK)) => Fork::Thread,
        () if has(CLONE_VFORK) => Fork::Vfork,
        () => Fork::Sharing,
    }
}

/// A child with a copy of the memory: it has a copy of this very stack too, and returns from this very call.
fn copy(block: *mut Block, call: &Call, wanted: &Wanted, task: usize) -> isize {
    let mut args = call.args.map(|arg| arg as usize);
    let mut copied = [0; CLONE_ARGS];
    match call.nr {
        // The stack is where the program goes on, not where we do.
        nr::CLONE => args[1] = 0,
        nr::CLONE3 => {
            copied = match clone_args(call) {
                Ok(copied) => copied,
                Err(errno) => return errno.to_rax(),
            };
            copied[STACK_AT..STACK_SIZE_AT + 8].fill(0);
            args[0] = copied.as_ptr() as usize;
            args[1] = args[1].min(CLONE_ARGS);
        }
        _ => {}
    }
    let lock = host::hold_heap();
    // SAFETY: the child shares no memory, so it harms none of the parent's.
    let result = unsafe { host::syscall(call.nr, args) };
    drop(lock);
    let _ = copied;
    if result == 0 {
        in_copy(block, wanted, task);
    }
    result
}

fn in_copy(block: *mut Block, wanted: &Wanted, task: usize) {
    dispatch_user_unsafe::restart();
    block_unsafe::release_others();
    // SAFETY: the block is the calling thread's.
    unsafe {
        // A deferred signal was the parent's; what is left of it here is the mask.
        (*block).info[0] = 0;
        (*block).tid = host::gettid();
        if wanted.stack != 0 {
            (*block).frame.rsp = wanted.stack;
        }
    }
    (hooks().in_child)(task);
}

/// A child that shares the memory: it needs a block of its own, filled beforehand.
fn share(block: *mut Block, call: &Call, wanted: &Wanted, kind: Fork, task: usize) -> isize {
    let (child, gone) = match block_unsafe::allocate(task) {
        Ok(allocated) => allocated,
        Err(errno) => return errno.to_rax(),
    };
    if let Some(gone) = gone {
        (hooks().after_fork)(Fork::Sharing, gone, Err(Errno::ESRCH));
    }
    let shares_fs = wanted.flags & u64::from(CLONE_FS) != 0;
    // SAFETY: the child's block is nobody's yet.
    unsafe { (*child).place = (hooks().child_place)(kind, shares_fs) };
    let (mut args, mut copied) = (call.args, [0; CLONE_ARGS]);
    let has_tid = wanted.flags & u64::from(CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID) != 0;
    if kind == Fork::Sharing
        && !has_tid
        && let Err(errno) = have_host_release(child, call, &mut args, &mut copied)
    {
        leave_place(child);
        block_unsafe::release(child);
        return errno.to_rax();
    }
    let dispatched = dispatch_user_unsafe::is_on();
    let mut mask = block_all();
    // SAFETY: the block is the calling thread's; the child's is nobody's yet; all signals are blocked. A child on
    // the caller's stack is a vfork child.
    let result = unsafe {
        if (*block).pending.load(Ordering::Acquire) != 0 {
            mask = (*block).saved_mask;
        }
        let own = &(*block).alternate;
        (*child).saved_mask = if own.blocked == 0 { mask } else { own.mask };
        if kind == Fork::Vfork {
            // It goes on with its parent's; others have none (sigaltstack(2)).
            (*child).alternate = Alternate { blocked: 0, ..*own };
        }
        if kind == Fork::Thread && (*block).task != 0 {
            (*child).task = (*block).task;
        }
        (*child).frame = (*block).frame;
        (*child).frame.rax = 0;
        (*child).frame.target += 2;
        (*child).trap_return = (*block).trap_return;
        (*child).program_gs = (*block).program_gs;
        (*child).info[0] = 0;
        if wanted.stack != 0 {
            (*child).frame.rsp = wanted.stack;
        }
        entry_unsafe::clone(call.nr, &args, child, dispatch_user_unsafe::range())
    };
    let _ = copied;
    dispatch_user_unsafe::follow(dispatched);
    // SAFETY: as above.
    if unsafe { (*block).pending.load(Ordering::Acquire) } == 0 {
        set_mask(mask);
    }
    if result < 0 || kind == Fork::Vfork {
        // SAFETY: nobody's any more.
        unsafe { (*child).host_releases = false };
        leave_place(child);
        block_unsafe::release(child);
    }
    result
}

/// A thread that has this block is about to end, or was not made.
pub(crate) fn leave_place(block: *mut Block) {
    // SAFETY: the calling thread's block, or nobody's.
    let place = unsafe { core::mem::replace(&mut (*block).place, 0) };
    if place != 0 {
        (hooks().leave_place)(place);
    }
}

/// Has the host give the child's block back when the child is gone from this memory: nobody else learns of it. `args` are the
/// call's, `copied` is room for clone3's structure.
fn have_host_release(
    child: *mut Block,
    call: &Call,
    args: &mut [u64; 6],
    copied: &mut [u8; CLONE_ARGS],
) -> Result<(), Errno> {
    // SAFETY: the child's block is nobody's yet.
    let state = unsafe { &raw const (*child).link.state as u64 };
    let clears = u64::from(CLONE_CHILD_CLEARTID);
    if call.nr == nr::CLONE3 {
        *copied = clone_args(call)?;
        let (flags, _) = copied.split_first_chunk_mut().ok_or(Errno::EINVAL)?;
        *flags = (u64::from_ne_bytes(*flags) | clears).to_ne_bytes();
        copied[CHILD_TID_AT..CHILD_TID_AT + 8].copy_from_slice(&state.to_ne_bytes());
        args[0] = copied.as_ptr() as u64;
        args[1] = args[1].min(CLONE_ARGS as u64);
    } else {
        args[0] |= clears;
        args[3] = state;
    }
    // SAFETY: as above.
    unsafe { (*child).host_releases = true };
    Ok(())
}

/// Blocks all signals; answers the mask before.
fn block_all() -> u64 {
    let all = !bit(SIGSYS);
    let mut before = 0_u64;
    let (all, old) = (&raw const all as usize, &raw mut before as usize);
    // SAFETY: both masks live as long as the call.
    unsafe { host::syscall(nr::RT_SIGPROCMASK, [SIG_SETMASK, all, old, 8, 0, 0]) };
    before
}

fn set_mask(mask: u64) {
    // SAFETY: the mask lives as long as the call.
    unsafe { host::syscall(nr::RT_SIGPROCMASK, [SIG_SETMASK, &raw const mask as usize, 0, 8, 0, 0]) };
}
