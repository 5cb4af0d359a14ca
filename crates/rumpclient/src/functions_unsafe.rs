//! The functions of rumpclient(3), as include/rump/rumpclient.h declares them.

use crate::exec_unsafe;
use crate::fork_unsafe::{self, Fork};
use crate::process_unsafe::{self, fail, perform, session};
use crate::signals_unsafe::blocked;
use abi::{Errno, table};
use client::Retry;
use libc::{c_char, c_int, c_void, time_t};

/// 0, or -1 and errno.
fn status(result: Result<(), Errno>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(errno) => {
            fail(errno);
            -1
        }
    }
}

/// Connects to the rump kernel that RUMP_SERVER names.
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_init() -> c_int {
    status(blocked(None, |_| process_unsafe::init()))
}

/// Announces a fork.
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_prefork() -> *mut Fork {
    blocked(None, |_| fork_unsafe::prefork()).unwrap_or_else(|errno| {
        fail(errno);
        std::ptr::null_mut()
    })
}

/// In the child: becomes the process that was announced.
///
/// # Safety
/// `fork` is what [`rumpclient_prefork`] answered.
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_fork_init(fork: *mut Fork) -> c_int {
    if fork.is_null() {
        return status(Err(Errno::EINVAL));
    }
    // SAFETY: the caller's promise.
    status(blocked(None, |_| unsafe { fork_unsafe::init(fork) }))
}

/// The fork did not happen.
///
/// # Safety
/// As [`rumpclient_fork_init`], and it is not used any more.
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_fork_cancel(fork: *mut Fork) {
    if !fork.is_null() {
        // SAFETY: the caller's promise.
        blocked(None, |_| unsafe { fork_unsafe::cancel(fork) });
    }
}

/// In the parent, for the header's rumpclient_fork and rumpclient_vfork: the child goes its own way.
///
/// # Safety
/// As [`rumpclient_fork_cancel`].
// SAFETY: the name is ours.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient__fork_done(fork: *mut Fork, child: libc::pid_t) {
    // SAFETY: the caller's promise.
    blocked(None, |_| unsafe { fork_unsafe::done(fork, child.cast_unsigned()) });
}

/// As execve(2); the new program is the same process to the rump kernel.
///
/// # Safety
/// As execve(2).
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_exec(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    status(Err(blocked(None, |signals| unsafe { exec_unsafe::exec(signals, path, argv, envp) })))
}

/// As daemon(3).
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_daemon(nochdir: c_int, noclose: c_int) -> c_int {
    let fork = rumpclient_prefork();
    if fork.is_null() {
        return -1;
    }
    // SAFETY: takes numbers.
    if unsafe { libc::daemon(nochdir, noclose) } == -1 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        // SAFETY: announced above.
        unsafe { rumpclient_fork_cancel(fork) };
        return status(Err(Errno::from_number(errno)));
    }
    // SAFETY: announced above; this is the child.
    unsafe { rumpclient_fork_init(fork) }
}

/// What to do when the connection is lost.
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_setconnretry(timeout: time_t) {
    const INFTIME: time_t = -1;
    const ONCE: time_t = -2;
    const DIE: time_t = -3;
    let retry = match timeout {
        INFTIME => Retry::Inftime,
        ONCE => Retry::Once,
        DIE => Retry::Die,
        0 => Retry::No,
        seconds if seconds > 0 => Retry::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX)),
        _ => return,
    };
    blocked(None, |_| process_unsafe::set_retry(retry));
}

/// Makes a call with the arguments that `data` holds, 8 bytes each. Answers its error, and puts its two values into
/// `retval`.
///
/// # Safety
/// `data` has `dlen` bytes; `retval` room for two values.
// SAFETY: the name is rumpclient(3)'s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_syscall(
    number: c_int,
    data: *const c_void,
    dlen: usize,
    retval: *mut i64,
) -> c_int {
    let number = number.cast_unsigned();
    let mut args = [0_u64; 6];
    let mut bytes = [0; size_of::<[u64; 6]>()];
    let len = dlen.min(bytes.len());
    if host::copy_in(data as u64, &mut bytes[..len]).is_err() {
        return Errno::EFAULT.number();
    }
    args.iter_mut().zip(bytes.as_chunks().0).for_each(|(arg, slot)| *arg = u64::from_ne_bytes(*slot));
    let declared = table::lookup(number).map_or(0, |row| row.args().len());
    if dlen / size_of::<u64>() < declared {
        return Errno::EINVAL.number();
    }
    match perform(number, args, None) {
        Ok(value) => {
            if !retval.is_null() {
                // SAFETY: the caller's promise.
                unsafe { retval.cast::<[i64; 2]>().write([value.cast_signed(), 0]) };
            }
            0
        }
        Err(errno) => errno.number(),
    }
}

/// The program is about to close what the library may need: `*fd` (0, CLOSE), a number that a dup2 aims at (1, DUP2), or
/// all from `*fd` on (2, FCLOSEM), of which those up to the library's own are closed here and `*fd` is moved behind it.
///
/// # Safety
/// `fd` points to a number.
// SAFETY: the name is the original's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient__closenotify(fd: *mut c_int, variant: c_int) -> c_int {
    const CLOSE: c_int = 0;
    const DUP2: c_int = 1;
    const FCLOSEM: c_int = 2;
    // SAFETY: the caller's promise.
    let fd = unsafe { &mut *fd };
    let Ok(number) = u32::try_from(*fd) else { return 0 };
    blocked(None, |_| {
        let Some(own) = session().ok().and_then(client::Session::own_descriptor) else { return 0 };
        match variant {
            CLOSE | DUP2 if number == own => status(session().and_then(|session| session.move_own(own))),
            FCLOSEM if number <= own => {
                for other in number..own {
                    let _ = host::close(other);
                }
                *fd = own.cast_signed() + 1;
                0
            }
            _ => 0,
        }
    })
}
