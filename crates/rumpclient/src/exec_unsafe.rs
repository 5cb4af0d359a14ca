//! rumpclient_exec: another program goes on with the connection.

use crate::environment::{self, EXEC, PARSED_SERVER};
use crate::process_unsafe::session;
use crate::signals_unsafe::Blocked;
use abi::Errno;
use abi::raw::general::{F_SETFD, FD_CLOEXEC};
use libc::c_char;
use std::cell::Cell;
use std::ffi::{CStr, CString};

thread_local! {
    static EXECUTING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is about to become another program: a handler that interrupts it cannot make calls.
pub(crate) fn is_executing() -> bool {
    EXECUTING.get()
}

/// Runs another program, to which the connection is left. Answers only if that fails.
///
/// # Safety
/// As execve(2).
pub(crate) unsafe fn exec(
    signals: &Blocked,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Errno {
    let (suspended, url) = match session().and_then(|s| Ok((s.suspend()?, &s.options().url))) {
        Ok(suspended) => suspended,
        Err(errno) => return errno,
    };
    let handover = suspended.handover();
    let made = environment::variables(url, handover, host::getpid()).map(CString::new);
    let made: Vec<CString> = made.into_iter().filter_map(Result::ok).collect();
    // SAFETY: the caller's promise.
    let mut variables: Vec<*const c_char> =
        unsafe { entries(envp) }.filter(|entry| !is_ours(entry)).collect();
    variables.extend(made.iter().map(|entry| entry.as_ptr()));
    variables.push(std::ptr::null());
    let _ = host::fcntl(handover.fd, F_SETFD, 0);
    EXECUTING.set(true);
    // The next program begins with the mask that the thread has.
    let errno = signals.unblocked(|| {
        // SAFETY: the caller's promise; the array of variables ends with a null pointer.
        unsafe { libc::execve(path, argv, variables.as_ptr()) };
        std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
    });
    EXECUTING.set(false);
    let _ = host::fcntl(handover.fd, F_SETFD, FD_CLOEXEC as usize);
    Errno::from_number(errno)
}

/// The entries of an array that ends with a null pointer; a null pointer is an empty one.
unsafe fn entries(mut array: *const *const c_char) -> impl Iterator<Item = *const c_char> {
    std::iter::from_fn(move || {
        if array.is_null() {
            return None;
        }
        // SAFETY: the caller's promise: the last one is null, and was not passed yet.
        let entry = unsafe { *array };
        // SAFETY: as above.
        array = if entry.is_null() { std::ptr::null() } else { unsafe { array.add(1) } };
        (!entry.is_null()).then_some(entry)
    })
}

fn is_ours(entry: &*const c_char) -> bool {
    // SAFETY: an entry of the caller's environment is a string.
    let text = unsafe { CStr::from_ptr(*entry) }.to_bytes();
    [EXEC, PARSED_SERVER]
        .iter()
        .any(|name| text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
}
