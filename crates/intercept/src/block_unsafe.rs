//! A thread's block: its stack for compiled code, and the program's registers while that runs. `%gs` points to it, unless the
//! program uses `%gs` itself ([`crate::gs_unsafe`]).

use crate::gs_unsafe;
use crate::pool_unsafe::{self, Link, Pool, Pooled};
use crate::signal::{SIGSYS, bit};
use abi::raw::general::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
use abi::{Errno, nr};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// What a thread has mapped; of the stack in it only what is touched.
const SIZE: usize = 256 * 1024;
const GUARD: usize = 4096;

/// asm/prctl.h
const ARCH_SET_GS: usize = 0x1001;

/// The program's registers at a call. One level is enough: no program code runs while a call is being looked at.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Frame {
    pub(crate) rax: u64,
    /// rdi, rsi, rdx, r10, r8, r9: the arguments.
    pub(crate) args: [u64; 6],
    pub(crate) rbx: u64,
    pub(crate) rbp: u64,
    pub(crate) r12: u64,
    pub(crate) r13: u64,
    pub(crate) r14: u64,
    pub(crate) r15: u64,
    pub(crate) rsp: u64,
    /// Where to leave to: at first the `syscall` instruction that carries the call out on the host.
    pub(crate) target: u64,
    pub(crate) xmm: [[u64; 2]; 16],
}

/// The program's alternate signal stack (sigaltstack(2)).
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Alternate {
    pub(crate) start: u64,
    /// 0: there is none.
    pub(crate) size: u64,
    /// Not 0: the call that is being looked at was made on it, and all signals are blocked.
    pub(crate) blocked: u64,
    /// The program's mask meanwhile.
    pub(crate) mask: u64,
    /// All signals but SIGSYS.
    pub(crate) all: u64,
}

/// See the module.
#[repr(C, align(64))]
pub(crate) struct Block {
    /// This block's own address, so that `%gs:0` is a pointer to it.
    pub(crate) this: *mut Block,
    pub(crate) stack_top: usize,
    pub(crate) frame: Frame,
    /// Not 0: a signal was deferred and all are blocked; `saved_mask` is the program's mask.
    pub(crate) pending: AtomicU32,
    /// Where the program goes on behind a trapped call.
    pub(crate) trap_return: u64,
    /// Where mmap(2) is to be carried out in truth while `frame.target` is [`crate::entry_unsafe::map_native`].
    pub(crate) map_target: u64,
    /// The program's signal mask while `pending`, and the one that a new thread starts with.
    pub(crate) saved_mask: u64,
    /// The deferred signal's `siginfo_t`; its number 0: none.
    pub(crate) info: [u64; 16],
    /// A signal mask without SIGSYS for a call that takes one, where the program's own lies, and pselect6's pair.
    pub(crate) mask_copy: u64,
    pub(crate) mask_pair: [u64; 2],
    /// What the program passed instead of `mask_copy` or `mask_pair`.
    pub(crate) mask_original: u64,
    /// The program's `%gs` base while `%gs` points here, or [`gs_unsafe::NONE`].
    pub(crate) program_gs: u64,
    /// The thread's number, by which the block is found where `%gs` does not point to it.
    pub(crate) tid: u32,
    pub(crate) alternate: Alternate,
    /// The mask that the last call set for its wait alone, and the `syscall` that it was made by; 0: it set none.
    pub(crate) temporary_mask: u64,
    pub(crate) temporary_at: u64,
    /// See [`crate::task`].
    pub(crate) task: usize,
    /// See [`crate::place`].
    pub(crate) place: usize,
    /// The host clears `link.state` when the thread, which is a process that shares the memory, runs another image or ends
    /// (`CLONE_CHILD_CLEARTID`).
    pub(crate) host_releases: bool,
    pub(crate) link: Link<Block>,
}

impl Pooled for Block {
    unsafe fn link(this: *mut Self) -> *mut Link<Self> {
        // SAFETY: the caller's promise.
        unsafe { &raw mut (*this).link }
    }
}

/// All blocks ever made.
pub(crate) static BLOCKS: Pool<Block> = Pool { first: AtomicPtr::new(ptr::null_mut()) };

/// Whether `%gs` points to a block.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// The calling thread's block.
///
/// # Safety
/// [`activate`] has run, and the thread was made behind it.
pub(crate) unsafe fn current() -> *mut Block {
    if gs_unsafe::of_program() != gs_unsafe::NONE
        && let Some(block) = of_thread(host::gettid())
    {
        return block;
    }
    let block;
    // SAFETY: `%gs:0` holds the block's own address.
    unsafe {
        core::arch::asm!("mov {}, gs:[0]", out(reg) block, options(nostack, readonly, preserves_flags))
    };
    block
}

/// The block of the thread of this number.
fn of_thread(tid: u32) -> Option<*mut Block> {
    BLOCKS.iter().find(|block| {
        // SAFETY: blocks are never unmapped.
        let (state, own) = unsafe { ((**block).link.state.load(Ordering::Acquire), (**block).tid) };
        state == pool_unsafe::USED && own == tid
    })
}

/// The calling thread's block, if this process has any.
pub(crate) fn try_current() -> Option<*mut Block> {
    // SAFETY: active.
    ACTIVE.load(Ordering::Acquire).then(|| unsafe { current() })
}

/// Gives the only thread its block.
///
/// # Errors
/// The host's.
pub(crate) fn activate() -> Result<(), Errno> {
    let (block, _) = allocate(0)?;
    // SAFETY: nothing in a dynamic x86-64 program uses `%gs` before its own code has run.
    Errno::from_rax(unsafe { host::syscall(nr::ARCH_PRCTL, [ARCH_SET_GS, block as usize, 0, 0, 0, 0]) })?;
    // SAFETY: the block is this thread's.
    unsafe { (*block).tid = host::gettid() };
    ACTIVE.store(true, Ordering::Release);
    Ok(())
}

/// A block for a thread to come, and the task of the child that shared the memory and has been found to be gone by this.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn allocate(task: usize) -> Result<(*mut Block, Option<usize>), Errno> {
    let block = match BLOCKS.take() {
        Some(block) => block,
        None => map()?,
    };
    // SAFETY: the block is ours alone until its thread starts.
    unsafe {
        (*block).pending.store(0, Ordering::Relaxed);
        let gone = (*block).host_releases.then_some((*block).task);
        (*block).host_releases = false;
        (*block).program_gs = gs_unsafe::NONE;
        (*block).task = task;
        (*block).place = 0;
        (*block).temporary_at = 0;
        (*block).alternate = Alternate { start: 0, size: 0, blocked: 0, mask: 0, all: !bit(SIGSYS) };
        Ok((block, gone))
    }
}

/// Gives a block back that no thread uses.
pub(crate) fn release(block: *mut Block) {
    // SAFETY: one of ours.
    unsafe { pool_unsafe::release(block) };
}

/// In the child of a fork: the threads of all other blocks are not there.
pub(crate) fn release_others() {
    // SAFETY: the calling thread has a block, and blocks are never unmapped.
    let own = unsafe { current() };
    BLOCKS.iter().filter(|block| *block != own).for_each(release);
}

/// Maps guard, stack and, on top, the block.
fn map() -> Result<*mut Block, Errno> {
    let base = match gs_unsafe::place(SIZE) {
        Some(base) => base,
        None => {
            let (prot, flags) = (PROT_NONE as usize, (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE) as usize);
            // SAFETY: a new mapping.
            Errno::from_rax(unsafe { host::syscall(nr::MMAP, [0, SIZE, prot, flags, usize::MAX, 0]) })?
        }
    };
    let prot = (PROT_READ | PROT_WRITE) as usize;
    // SAFETY: nobody uses it yet; its first page stays closed.
    let opened = unsafe { host::syscall(nr::MPROTECT, [base + GUARD, SIZE - GUARD, prot, 0, 0, 0]) };
    Errno::from_rax(opened)?;
    let at = base + SIZE - size_of::<Block>().next_multiple_of(64);
    let block = at as *mut Block;
    // SAFETY: within the mapping, aligned, zeroed, and nobody else's.
    unsafe {
        (*block).this = block;
        (*block).stack_top = at;
        BLOCKS.add(block);
    }
    Ok(block)
}

impl Block {
    /// Whether an address is on this thread's stack of ours.
    pub(crate) fn on_own_stack(&self, rsp: u64) -> bool {
        let top = self.stack_top as u64;
        rsp <= top && rsp > top - SIZE as u64
    }
}

/// See [`crate::place`].
pub(crate) fn place() -> usize {
    // SAFETY: the block lives as long as its thread.
    try_current().map_or(0, |block| unsafe { (*block).place })
}

/// See [`crate::set_place`]. Answers what it was before.
pub(crate) fn set_place(place: usize) -> usize {
    // SAFETY: the block is the calling thread's.
    try_current().map_or(0, |block| unsafe { core::mem::replace(&mut (*block).place, place) })
}

/// See [`crate::task`].
pub(crate) fn task() -> usize {
    // SAFETY: the block lives as long as its thread.
    try_current().map_or(0, |block| unsafe { (*block).task })
}
