//! rt_sigaction(2): the host has our wrapper in front of each handler of the program's; SIGSYS is not the program's
//! to have.

use crate::entry_unsafe::handler;
use crate::hooks::Answer;
use crate::signal::{
    KernelAction, SA_NODEFER, SA_RESETHAND, SA_SIGINFO, SIG_DFL, SIG_IGN, SIGNALS, SIGSYS, SYNCHRONOUS, bit,
};
use abi::{Errno, nr};
use core::sync::atomic::{AtomicU64, Ordering};

/// What the program installed. Whether it still is, the host knows: a vfork child, which shares this table, sets its
/// signals back to SIG_DFL without harm to its parent.
struct Wrapped {
    handler: AtomicU64,
    flags: AtomicU64,
    mask: AtomicU64,
}

static WRAPPED: [Wrapped; SIGNALS + 1] = [const {
    Wrapped { handler: AtomicU64::new(SIG_DFL), flags: AtomicU64::new(0), mask: AtomicU64::new(0) }
}; SIGNALS + 1];

/// The program's own idea of SIGSYS.
static SIGSYS_RESTORER: AtomicU64 = AtomicU64::new(0);

/// The program's handler for a signal that the host has our wrapper for.
pub(crate) fn program_handler(signal: u32) -> u64 {
    WRAPPED.get(signal as usize).map_or(SIG_DFL, |wrapped| wrapped.handler.load(Ordering::Acquire))
}

/// The signals that the program wants blocked while it runs.
pub(crate) fn mask(signal: u32) -> u64 {
    WRAPPED.get(signal as usize).map_or(0, |wrapped| wrapped.mask.load(Ordering::Acquire))
}

/// The signals that are blocked while the program's handler runs, where these are without it.
pub(crate) fn mask_during(signal: u32, mask: u64) -> u64 {
    let own = if flags(signal) & SA_NODEFER == 0 { bit(signal) } else { 0 };
    (mask | self::mask(signal) | own) & !bit(SIGSYS)
}

/// The flags that the program gave with it.
pub(crate) fn flags(signal: u32) -> u64 {
    WRAPPED.get(signal as usize).map_or(0, |wrapped| wrapped.flags.load(Ordering::Acquire))
}

/// The program's own action for SIGSYS.
pub(crate) fn sigsys() -> KernelAction {
    WRAPPED[SIGSYS as usize].get(SIGSYS_RESTORER.load(Ordering::Acquire))
}

/// What the kernel does to an action as it calls the handler.
pub(crate) fn sigsys_is_delivered() {
    let wrapped = &WRAPPED[SIGSYS as usize];
    if wrapped.flags.load(Ordering::Acquire) & SA_RESETHAND != 0 {
        wrapped.handler.store(SIG_DFL, Ordering::Release);
    }
}

impl Wrapped {
    fn set(&self, action: &KernelAction) {
        self.mask.store(action.mask, Ordering::Release);
        self.flags.store(action.flags, Ordering::Release);
        self.handler.store(action.handler, Ordering::Release);
    }

    fn get(&self, restorer: u64) -> KernelAction {
        KernelAction {
            handler: self.handler.load(Ordering::Acquire),
            flags: self.flags.load(Ordering::Acquire),
            restorer,
            mask: self.mask.load(Ordering::Acquire),
        }
    }
}

/// See the module.
pub(crate) fn rt_sigaction(args: &[u64; 6]) -> Answer {
    Answer::Done(change(args).map_or_else(Errno::to_rax, |()| 0))
}

fn change(args: &[u64; 6]) -> Result<(), Errno> {
    let [signal, new, old, size, ..] = *args;
    let signal = signal as u32;
    let wrapped = WRAPPED.get(signal as usize).filter(|_| signal > 0 && size == 8).ok_or(Errno::EINVAL)?;
    let new = match new {
        0 => None,
        address => {
            let mut bytes = [0; 32];
            host::copy_in(address, &mut bytes)?;
            Some(KernelAction::from_bytes(bytes))
        }
    };
    let before =
        if signal == SIGSYS { change_sigsys(wrapped, new) } else { change_host(signal, wrapped, new)? };
    if old == 0 { Ok(()) } else { host::copy_out(old, &before.to_bytes()) }
}

fn change_sigsys(wrapped: &Wrapped, new: Option<KernelAction>) -> KernelAction {
    let before = wrapped.get(SIGSYS_RESTORER.load(Ordering::Acquire));
    if let Some(new) = new {
        SIGSYS_RESTORER.store(new.restorer, Ordering::Release);
        wrapped.set(&new);
    }
    before
}

fn change_host(signal: u32, wrapped: &Wrapped, new: Option<KernelAction>) -> Result<KernelAction, Errno> {
    let virtual_before = wrapped.get(0);
    let mut host_new = new.unwrap_or_default();
    host_new.mask &= !bit(SIGSYS);
    if !matches!(host_new.handler, SIG_DFL | SIG_IGN) {
        // First the table: the signal may come as soon as the host knows.
        wrapped.set(&new.unwrap_or_default());
        host_new.handler = handler();
        // The wrapper lets in what the program does not want blocked, once it has seen where the program is. Signals that the kernel
        // delivers at once would lie on top of each other before the first was looked at.
        host_new.mask |= !SYNCHRONOUS;
        host_new.flags |= SA_SIGINFO;
    }
    let mut before = KernelAction::default();
    let new_at = if new.is_some() { &raw const host_new as usize } else { 0 };
    let args = [signal as usize, new_at, &raw mut before as usize, 8, 0, 0];
    // SAFETY: both structures live as long as the call; the handler is our wrapper.
    let answer = Errno::from_rax(unsafe { host::syscall(nr::RT_SIGACTION, args) });
    if answer.is_err() {
        wrapped.set(&virtual_before);
    }
    answer?;
    if before.handler == handler() {
        before = KernelAction { restorer: before.restorer, ..virtual_before };
    } else if before.handler == SIG_DFL && before.flags & SA_RESETHAND != 0 {
        // The host has reset the handler as it was called, and kept the flags, ours among them.
        before.flags &= virtual_before.flags | !SA_SIGINFO;
        before.mask = virtual_before.mask;
    }
    Ok(before)
}
