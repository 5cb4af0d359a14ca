//! SIGTERM and SIGINT as a descriptor (signalfd(2)), which rustix does not offer.

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use std::ffi::c_int;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

const SIGINT: u32 = 2;
const SIGTERM: u32 = 15;
const SIG_BLOCK: c_int = 0;
const SIG_SETMASK: c_int = 2;
const SFD_CLOEXEC: c_int = 0o2_000_000;
const SFD_NONBLOCK: c_int = 0o4000;

/// glibc's and musl's `sigset_t`: 1,024 bits.
type SigSet = [u64; 16];

unsafe extern "C" {
    fn pthread_sigmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    fn signalfd(fd: c_int, set: *const SigSet, flags: c_int) -> c_int;
}

/// Blocks both signals in this thread; answers a descriptor that is readable once one was sent.
///
/// # Errors
/// As signalfd(2).
pub(crate) fn termination() -> Result<OwnedFd, Errno> {
    let mut set: SigSet = [0; 16];
    set[0] = (1 << (SIGINT - 1)) | (1 << (SIGTERM - 1));
    // SAFETY: `set` is a whole sigset_t that outlives the call; a null `old` is allowed (sigprocmask(2)).
    unsafe { pthread_sigmask(SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    // SAFETY: `set` is a whole sigset_t that outlives the call.
    let fd = unsafe { signalfd(-1, &raw const set, SFD_CLOEXEC | SFD_NONBLOCK) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error()
            .raw_os_error()
            .map_or(Errno::IO, Errno::from_raw_os_error));
    }
    // SAFETY: signalfd has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// tgkill(2): sends a thread of a process a signal.
///
/// # Errors
/// `ESRCH`: the process has no such thread.
pub(crate) fn kill_thread(process: Pid, thread: Pid, signal: Signal) -> Result<(), Errno> {
    let (process, thread) = (process.as_raw_pid(), thread.as_raw_pid());
    // SAFETY: the call takes three numbers.
    match unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal.as_raw()) } {
        0 => Ok(()),
        _ => Err(Errno::SRCH),
    }
}

/// A program that is started so has no signal blocked: it would inherit ours, and not end by `kill`.
pub(crate) fn unblock_in(command: &mut Command) {
    let unblock = || {
        let set: SigSet = [0; 16];
        // SAFETY: `set` is a whole sigset_t that outlives the call; a null `old` is allowed (sigprocmask(2)).
        unsafe { pthread_sigmask(SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
        Ok(())
    };
    // SAFETY: between fork and exec it makes one call, which is async-signal-safe, and touches its own stack alone.
    unsafe { command.pre_exec(unblock) };
}
