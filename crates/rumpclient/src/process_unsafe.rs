//! Whose session a call goes to.

use crate::environment;
use crate::signals_unsafe::blocked;
use abi::{Errno, table};
use client::{Retry, Session};
use std::ffi::CStr;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// The process that [`MAIN`] belongs to; 0: there is none yet.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// Its session. A session that is replaced is never freed: calls of other threads may be using it.
static MAIN: AtomicPtr<Session> = AtomicPtr::new(ptr::null_mut());
/// In the child of a fork that has not introduced itself.
static IS_ORPHAN: AtomicBool = AtomicBool::new(false);

/// vfork(2) children at once.
const CHILDREN_MAX: usize = 64;
static CHILDREN: [Child; CHILDREN_MAX] =
    [const { Child { pid: AtomicU32::new(0), session: AtomicPtr::new(ptr::null_mut()) } }; CHILDREN_MAX];
static CHILDREN_COUNT: AtomicUsize = AtomicUsize::new(0);

/// A child that shares this memory, for as long as it runs.
struct Child {
    pid: AtomicU32,
    session: AtomicPtr<Session>,
}

/// What rumpclient_setconnretry said.
static RETRY: Mutex<Retry> = Mutex::new(Retry::Once);
/// Held while a session is made.
static MAKING: Mutex<()> = Mutex::new(());

/// Which process calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The one whose memory this is.
    Owner,
    /// Its child by vfork(2).
    VforkChild(u32),
}

pub(crate) fn caller() -> Caller {
    let pid = host::getpid();
    match OWNER.load(Ordering::Acquire) {
        0 => Caller::Owner,
        owner if owner == pid => Caller::Owner,
        _ => Caller::VforkChild(pid),
    }
}

/// The calling process's session.
///
/// # Errors
/// `ENOTCONN`: it has none.
pub(crate) fn session() -> Result<&'static Session, Errno> {
    let mut session = MAIN.load(Ordering::Acquire);
    if CHILDREN_COUNT.load(Ordering::Acquire) > 0
        && let Caller::VforkChild(pid) = caller()
    {
        let child = CHILDREN.iter().find(|child| child.pid.load(Ordering::Acquire) == pid);
        session = child.ok_or(Errno::ENOTCONN)?.session.load(Ordering::Acquire);
    } else if IS_ORPHAN.load(Ordering::Acquire) {
        return Err(Errno::ENOTCONN);
    }
    // SAFETY: sessions are never freed while somebody can call; a vfork child's lives until its parent goes on.
    unsafe { session.as_ref() }.ok_or(Errno::ENOTCONN)
}

/// Makes a call; signals have the mask `meanwhile` while it waits.
///
/// # Errors
/// The rump kernel's. `ENOTCONN`: there is no connection to one.
pub(crate) fn perform(nr: u32, args: [u64; 6], meanwhile: Option<u64>) -> Result<u64, Errno> {
    let row = table::lookup(nr).ok_or(Errno::ENOSYS)?;
    if crate::exec_unsafe::is_executing() {
        return Err(Errno::EBUSY);
    }
    blocked(meanwhile, |signals| {
        loop {
            // The program may have unmapped what could be read before, and nobody tells of it here.
            host::forget_pages();
            match session()?.call(row, args, &[]).and_then(|reply| reply.result) {
                Err(Errno::ERESTARTSYS) => {
                    signals.deliver();
                    if !signals.restarts() {
                        return Err(Errno::EINTR);
                    }
                }
                Err(Errno::EINTR) => {
                    // Under the mask of ppoll(2), which ends with it.
                    signals.deliver();
                    return Err(Errno::EINTR);
                }
                result => return result,
            }
        }
    })
}

/// -1, and errno of the calling thread.
pub(crate) fn fail(errno: Errno) -> i64 {
    // SAFETY: the thread's own errno.
    unsafe { *libc::__errno_location() = errno.number() };
    -1
}

/// rumpclient_init.
///
/// # Errors
/// `ENOENT`, `EINVAL`: see [`environment::options`]. The host's, of connecting. The server's refusal.
pub(crate) fn init() -> Result<(), Errno> {
    let _making = lock(&MAKING);
    if session().is_ok() {
        return Ok(());
    }
    let options = environment::options(program_name(), *lock(&RETRY))?;
    let session = match environment::handover(host::getpid()) {
        Some(handover) => Session::adopted(options, handover)?,
        None => {
            let session = Session::new(options);
            session.open_now()?;
            session
        }
    };
    session.introduce()?;
    for variable in [environment::EXEC, environment::PARSED_SERVER] {
        // SAFETY: as for any C function that changes the environment: the program calls this before its threads do.
        unsafe { std::env::remove_var(variable) };
    }
    crate::fork_unsafe::watch_forks();
    enter(session);
    Ok(())
}

/// This is the calling process's session from now on.
pub(crate) fn enter(session: Session) {
    let session = Box::into_raw(Box::new(session));
    match caller() {
        Caller::Owner => {
            MAIN.store(session, Ordering::Release);
            OWNER.store(host::getpid(), Ordering::Release);
            IS_ORPHAN.store(false, Ordering::Release);
        }
        Caller::VforkChild(pid) => {
            let free = |child: &&Child| {
                child.pid.compare_exchange(0, pid, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            };
            if let Some(child) = CHILDREN.iter().find(free) {
                child.session.store(session, Ordering::Release);
                CHILDREN_COUNT.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}

/// A child by vfork(2) has run another program, or ended.
pub(crate) fn forget_child(pid: u32) {
    if let Some(child) = CHILDREN.iter().find(|child| child.pid.load(Ordering::Acquire) == pid) {
        let session = child.session.swap(ptr::null_mut(), Ordering::AcqRel);
        CHILDREN_COUNT.fetch_sub(1, Ordering::AcqRel);
        child.pid.store(0, Ordering::Release);
        // SAFETY: `enter` made it of a Box, and the child was the only one to use it.
        drop(unsafe { Box::from_raw(session) });
    }
}

/// In the child of a fork: it has no session until it makes one, and its parent's connection is the parent's.
///
/// # Safety
/// No other thread may exist in this process's memory.
pub(crate) unsafe fn become_orphan() {
    // SAFETY: `enter` stored it, and nobody frees it.
    if let Some(session) = unsafe { MAIN.load(Ordering::Acquire).as_ref() } {
        // SAFETY: the caller's promise.
        unsafe { session.after_fork(None) };
        OWNER.store(host::getpid(), Ordering::Release);
        IS_ORPHAN.store(true, Ordering::Release);
    }
    CHILDREN.iter().for_each(|child| child.pid.store(0, Ordering::Release));
    CHILDREN_COUNT.store(0, Ordering::Release);
}

/// rumpclient_setconnretry.
pub(crate) fn set_retry(retry: Retry) {
    *lock(&RETRY) = retry;
    if let Ok(session) = session() {
        session.set_retry(retry);
    }
}

/// What a fork's child goes on with.
pub(crate) fn retry() -> Retry {
    *lock(&RETRY)
}

/// Nobody panics while holding one of these; if somebody did, the value is whole all the same.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As getprogname(3): by the first argument.
fn program_name() -> Vec<u8> {
    unsafe extern "C" {
        static program_invocation_short_name: *const libc::c_char;
    }
    // SAFETY: the C library sets it before main, to a string that stays.
    let name = unsafe {
        if program_invocation_short_name.is_null() {
            c"rumpclient"
        } else {
            CStr::from_ptr(program_invocation_short_name)
        }
    };
    name.to_bytes().to_vec()
}
