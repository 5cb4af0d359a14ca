//! Signal masks that a call takes: SIGSYS is never in one that the host sees, because a trap with SIGSYS blocked kills.
//!
//! The call is given a copy in the thread's block. It is made by the host at the program's own instruction, so that
//! a signal that it lets in, or waits for, finds the program there.

use crate::block_unsafe::Block;
use crate::hooks::{Answer, Call};
use crate::signal::{Registers, SIGSYS, Ucontext, bit};
use abi::{Errno, nr};

/// `syscall` is two bytes.
const CALL_SIZE: u64 = 2;

/// Which argument holds the address of a mask.
const fn mask_argument(number: u32) -> Option<usize> {
    Some(match number {
        nr::RT_SIGSUSPEND | nr::RT_SIGTIMEDWAIT => 0,
        nr::RT_SIGPROCMASK | nr::SIGNALFD | nr::SIGNALFD4 => 1,
        nr::PPOLL => 3,
        nr::EPOLL_PWAIT | nr::EPOLL_PWAIT2 => 4,
        // A pointer and a size in memory.
        nr::PSELECT6 => 5,
        _ => return None,
    })
}

/// The calls whose mask holds as long as they wait.
const WAITS: &[u32] = &[nr::RT_SIGSUSPEND, nr::PPOLL, nr::EPOLL_PWAIT, nr::EPOLL_PWAIT2, nr::PSELECT6];

/// The mask that was in force when a signal came, which finds the thread as this context says. The context has the one that will be
/// again: another one if the signal has ended a call with a mask of its own.
pub(crate) fn in_force(block: &Block, context: &Ucontext) -> u64 {
    let registers = &context.registers;
    let ended =
        registers.rip == block.temporary_at + CALL_SIZE && registers.rax == Errno::EINTR.to_rax() as u64;
    if ended && block.temporary_at != 0 { block.temporary_mask } else { context.mask }
}

/// Gives the host a mask without SIGSYS, if the call has one with it.
pub(crate) fn strip(block: *mut Block, call: &Call) -> Answer {
    // SAFETY: the block is the calling thread's.
    unsafe { (*block).temporary_at = 0 };
    let Some(at) = mask_argument(call.nr) else { return Answer::Host };
    let mut pair = [call.args[at], 8];
    if call.nr == nr::PSELECT6 {
        let mut bytes = [0; 16];
        if pair[0] == 0 || host::copy_in(pair[0], &mut bytes).is_err() {
            return Answer::Host;
        }
        for (to, from) in pair.iter_mut().zip(bytes.chunks_exact(8)) {
            *to = from.try_into().map_or(0, u64::from_ne_bytes);
        }
    }
    let mut mask = [0; 8];
    // A bad address is the host's to refuse.
    if pair[0] == 0 || host::copy_in(pair[0], &mut mask).is_err() {
        return Answer::Host;
    }
    let mask = u64::from_ne_bytes(mask);
    if WAITS.contains(&call.nr) {
        // SAFETY: as above.
        unsafe {
            (*block).temporary_mask = mask;
            (*block).temporary_at = (*block).frame.target;
        }
    }
    if mask & bit(SIGSYS) == 0 {
        return Answer::Host;
    }
    // SAFETY: the block is the calling thread's.
    unsafe {
        let block = &mut *block;
        block.mask_copy = mask & !bit(SIGSYS);
        block.mask_pair = [&raw const block.mask_copy as u64, pair[1]];
        block.mask_original = call.args[at];
        block.frame.args[at] = match call.nr {
            nr::PSELECT6 => block.mask_pair.as_ptr() as u64,
            _ => &raw const block.mask_copy as u64,
        };
    }
    Answer::Host
}

/// Puts the program's own address back where a register holds that of the copy: a call that is made again has to find
/// what the program passed.
pub(crate) fn restore(block: &Block, registers: &mut Registers) {
    let copies = [&raw const block.mask_copy as u64, block.mask_pair.as_ptr() as u64];
    let Registers { rdi, rsi, r10, r8, r9, .. } = registers;
    for register in [rdi, rsi, r10, r8, r9] {
        if copies.contains(register) {
            *register = block.mask_original;
        }
    }
}
