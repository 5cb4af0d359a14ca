//! Signals are blocked while a thread is in here.
//!
//! A thread that waits polls a signalfd(2) beside what it waits for. It then takes the signal off its queue, so that of the
//! threads that wait only one ends its call, and queues it again for itself, so that its handler runs when it is unblocked.

use abi::{Errno, nr};
use client::Interruption;
use core::cell::Cell;
use core::ptr;

/// A set of signals as the kernel has it: bit 0 is signal 1.
type Set = u64;
const SET_SIZE: usize = size_of::<Set>();

const SIG_SETMASK: usize = 2;
/// The C library's own (nptl(7)): held back, they would hold up pthread_cancel(3) and setuid(2) of other threads.
const OF_THE_C_LIBRARY: Set = 1 << 31 | 1 << 32;
const BLOCKED: Set = !OF_THE_C_LIBRARY;

/// SIGCHLD, SIGURG, SIGWINCH: ignored where they have no handler. (SIGCONT is not: it has an effect.)
const IGNORED_BY_DEFAULT: Set = 1 << (17 - 1) | 1 << (23 - 1) | 1 << (28 - 1);

const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SA_RESTART: u64 = 0x1000_0000;

thread_local! {
    /// The innermost of this thread's calls.
    static INNERMOST: Cell<*const Blocked> = const { Cell::new(ptr::null()) };
}

/// Signals, blocked.
#[derive(Debug)]
pub(crate) struct Blocked {
    /// The mask to go back to.
    before: Set,
    /// The mask under which handlers run meanwhile (ppoll(2)).
    meanwhile: Set,
    /// All signals taken so far have handlers that restart calls.
    restarts: Cell<bool>,
    outer: *const Blocked,
}

/// Does this with signals blocked. Handlers that have to run meanwhile do so under the mask `meanwhile`, or the thread's own.
pub(crate) fn blocked<T>(meanwhile: Option<Set>, action: impl FnOnce(&Blocked) -> T) -> T {
    let before = set_mask(BLOCKED);
    let outer = INNERMOST.get();
    let meanwhile = meanwhile.unwrap_or(before);
    let blocked = Blocked { before, meanwhile, restarts: Cell::new(true), outer };
    INNERMOST.set(&raw const blocked);
    let answer = action(&blocked);
    INNERMOST.set(blocked.outer);
    set_mask(blocked.before);
    answer
}

impl Blocked {
    /// Lets the handlers run that wait for it.
    pub(crate) fn deliver(&self) {
        set_mask(self.meanwhile);
        set_mask(BLOCKED);
    }

    /// Whether a call that signals ended is to be made again, by the handlers that have run since this was last asked.
    pub(crate) fn restarts(&self) -> bool {
        self.restarts.replace(true)
    }

    /// Does this with the thread's own mask.
    pub(crate) fn unblocked<T>(&self, action: impl FnOnce() -> T) -> T {
        set_mask(self.before);
        let answer = action();
        set_mask(BLOCKED);
        answer
    }

    /// Takes signals off the queue until one has a handler, which is `EINTR`.
    fn take(&self) -> Result<(), Errno> {
        while let Some((signo, mut info)) = dequeue(!self.meanwhile & BLOCKED) {
            match Action::of(signo) {
                Action::Ignored => {}
                Action::Default => {
                    requeue(signo, &mut info);
                    self.deliver();
                }
                Action::Handler { restarts } => {
                    requeue(signo, &mut info);
                    self.restarts.set(self.restarts.get() & restarts);
                    return Err(Errno::EINTR);
                }
            }
        }
        Ok(())
    }
}

/// What sessions of this library wait with.
#[derive(Debug)]
pub(crate) struct Signals;

impl Interruption for Signals {
    fn wait(&self, readable: &[u32], timeout_ns: u64) -> Result<(), Errno> {
        // SAFETY: while a call is made, this is its `Blocked`, on this thread's stack.
        let Some(innermost) = (unsafe { INNERMOST.get().as_ref() }) else {
            host::poll_readable(readable, timeout_ns);
            return Ok(());
        };
        let signals = signalfd(!innermost.meanwhile & BLOCKED);
        let mut fds = [u32::MAX; 3];
        let all = readable.iter().copied().chain(signals.as_ref().map(host::Fd::number));
        let count = fds.iter_mut().zip(all).map(|(slot, fd)| *slot = fd).count();
        host::poll_readable(&fds[..count], timeout_ns);
        innermost.take()
    }

    fn deliver(&self) {
        // SAFETY: as above.
        if let Some(innermost) = unsafe { INNERMOST.get().as_ref() } {
            innermost.deliver();
            innermost.restarts();
        }
    }
}

/// What a signal does.
enum Action {
    Ignored,
    /// It ends, stops or continues the process.
    Default,
    Handler {
        restarts: bool,
    },
}

impl Action {
    fn of(signo: u32) -> Self {
        // struct kernel_sigaction: handler, flags, restorer, mask.
        let mut action = [0_u64; 4];
        let args = [signo as usize, 0, action.as_mut_ptr() as usize, SET_SIZE, 0, 0];
        // SAFETY: the kernel writes one structure.
        let _ = unsafe { host::syscall(nr::RT_SIGACTION, args) };
        match action[0] as usize {
            SIG_IGN => Self::Ignored,
            SIG_DFL if IGNORED_BY_DEFAULT & 1 << (signo - 1) != 0 => Self::Ignored,
            SIG_DFL => Self::Default,
            _ => Self::Handler { restarts: action[1] & SA_RESTART != 0 },
        }
    }
}

/// The mask of before, to be restored by hand.
#[derive(Debug)]
pub(crate) struct Mask(Set);

impl Mask {
    /// Blocks signals.
    pub(crate) fn block() -> Self {
        Self(set_mask(BLOCKED))
    }

    pub(crate) fn restore(self) {
        set_mask(self.0);
    }
}

/// Sets the thread's mask; answers the one before.
fn set_mask(mask: Set) -> Set {
    let mut before = 0;
    let args = [SIG_SETMASK, &raw const mask as usize, &raw mut before as usize, SET_SIZE, 0, 0];
    // SAFETY: the kernel reads one set and writes another.
    let _ = unsafe { host::syscall(nr::RT_SIGPROCMASK, args) };
    before
}

fn signalfd(signals: Set) -> Option<host::Fd> {
    // SFD_CLOEXEC and SFD_NONBLOCK are those of open(2).
    let flags = (abi::raw::general::O_CLOEXEC | abi::raw::general::O_NONBLOCK) as usize;
    let args = [usize::MAX, &raw const signals as usize, SET_SIZE, flags, 0, 0];
    // SAFETY: the kernel reads one set.
    let made = Errno::from_rax(unsafe { host::syscall(nr::SIGNALFD4, args) }).ok()?;
    let made = host::Fd::own(u32::try_from(made).ok()?);
    // 0 to 2 are the program's, even where they are closed.
    if made.number() > 2 { Some(made) } else { host::dup_above(made.number(), 3).ok() }
}

/// `siginfo_t`, which nobody looks into here.
type Info = [u64; 16];

fn dequeue(signals: Set) -> Option<(u32, Info)> {
    let (mut info, now) = ([0; 16], [0_u64; 2]);
    let args = [&raw const signals as usize, &raw mut info as usize, now.as_ptr() as usize, SET_SIZE, 0, 0];
    // SAFETY: the kernel reads a set and a time, and writes one `siginfo_t` of 128 bytes.
    let taken = Errno::from_rax(unsafe { host::syscall(nr::RT_SIGTIMEDWAIT, args) }).ok()?;
    Some((u32::try_from(taken).ok()?, info))
}

fn requeue(signo: u32, info: &mut Info) {
    let (pid, tid) = (host::getpid() as usize, host::gettid() as usize);
    let args = [pid, tid, signo as usize, info.as_mut_ptr() as usize, 0, 0];
    // SAFETY: the kernel reads one `siginfo_t`.
    let _ = unsafe { host::syscall(nr::RT_TGSIGQUEUEINFO, args) };
}
