//! Single calls. Each takes what its manual page says and answers the host's error.

use crate::gadget_unsafe::{enter, interruptible, syscall};
use crate::{Fd, Wait};
use abi::private::OWN_SOCKET;
use abi::{Errno, nr};
use core::ffi::CStr;
use core::sync::atomic::AtomicU32;

const FUTEX_WAIT_PRIVATE: usize = 128;
const FUTEX_WAKE_PRIVATE: usize = 129;
const CLOCK_MONOTONIC: usize = 1;

/// A call without addresses, which cannot harm this process's memory.
fn plain(nr: u32, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: no argument is an address.
    Errno::from_rax(unsafe { syscall(nr, args) })
}

/// close(2).
///
/// # Errors
/// The host's.
pub fn close(fd: u32) -> Result<(), Errno> {
    plain(nr::CLOSE, [fd as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// shutdown(2) of both directions: who is blocked in the socket returns, which close(2) does not bring about.
///
/// # Errors
/// The host's.
pub fn shutdown(socket: u32) -> Result<(), Errno> {
    const SHUT_RDWR: usize = 2;
    plain(nr::SHUTDOWN, [socket as usize, SHUT_RDWR, 0, 0, 0, 0]).map(drop)
}

/// fcntl(2) with a number as its argument.
///
/// # Errors
/// The host's.
pub fn fcntl(fd: u32, command: u32, argument: usize) -> Result<usize, Errno> {
    plain(nr::FCNTL, [fd as usize, command as usize, argument, 0, 0, 0])
}

/// A copy at the lowest free number from `least` on, close-on-exec (`F_DUPFD_CLOEXEC`).
///
/// # Errors
/// The host's: `EINVAL` if `least` is above the limit, `EMFILE`.
pub fn dup_above(fd: u32, least: u32) -> Result<Fd, Errno> {
    let number = fcntl(fd, abi::raw::general::F_DUPFD_CLOEXEC, least as usize)?;
    u32::try_from(number).map(Fd::own).map_err(|_| Errno::EMFILE)
}

/// read(2); waits, and is ended by signals.
///
/// # Errors
/// The host's.
pub fn read(fd: u32, into: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes within the slice.
    Errno::from_rax(unsafe {
        interruptible(nr::READ, [fd as usize, into.as_mut_ptr() as usize, into.len(), 0, 0, 0])
    })
}

/// write(2).
///
/// # Errors
/// The host's.
pub fn write(fd: u32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads within the slice.
    Errno::from_rax(unsafe {
        syscall(nr::WRITE, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0])
    })
}

/// A stream socket of this family, close-on-exec, connected to `address` (a `struct sockaddr`).
///
/// # Errors
/// The host's.
pub fn socket_connect(family: u16, address: &[u8]) -> Result<Fd, Errno> {
    // SOCK_CLOEXEC is O_CLOEXEC (socket(2)).
    let kind = (abi::raw::net::SOCK_STREAM | abi::raw::general::O_CLOEXEC) as usize;
    let number = plain(nr::SOCKET, [family as usize, kind, 0, 0, 0, OWN_SOCKET as usize])?;
    let socket = Fd::own(u32::try_from(number).map_err(|_| Errno::EMFILE)?);
    // SAFETY: the kernel reads within the slice.
    Errno::from_rax(unsafe {
        interruptible(nr::CONNECT, [number, address.as_ptr() as usize, address.len(), 0, 0, 0])
    })?;
    if u32::from(family) != abi::raw::net::AF_UNIX {
        at_once(number);
    }
    Ok(socket)
}

/// `TCP_NODELAY`: what is sent does not wait until the peer has acknowledged what was sent before, a call's CANCEL the call.
fn at_once(socket: usize) {
    let on = 1_u32;
    let (level, name) = (abi::raw::net::IPPROTO_TCP as usize, abi::raw::net::TCP_NODELAY as usize);
    // SAFETY: the kernel reads one int. Without it all is as good, if later.
    let _ = unsafe { syscall(nr::SETSOCKOPT, [socket, level, name, &raw const on as usize, 4, 0]) };
}

/// getsockopt(2) of a fixed-size value at level `SOL_SOCKET`.
fn socket_option<const N: usize>(fd: u32, option: u32) -> Result<[u8; N], Errno> {
    let mut value = [0_u8; N];
    let mut len = u32::try_from(N).unwrap_or(0);
    let at = value.as_mut_ptr() as usize;
    // SAFETY: the kernel writes at most `len` bytes to `value`, and four to `len`.
    Errno::from_rax(unsafe {
        syscall(
            nr::GETSOCKOPT,
            [fd as usize, abi::raw::net::SOL_SOCKET as usize, option as usize, at, &raw mut len as usize, 0],
        )
    })?;
    Ok(value)
}

/// The cookie that names this socket on the host for ever (`SO_COOKIE`).
///
/// # Errors
/// `ENOTSOCK`, `EBADF`.
pub fn so_cookie(fd: u32) -> Result<u64, Errno> {
    socket_option(fd, abi::raw::net::SO_COOKIE).map(u64::from_ne_bytes)
}

/// Takes the socket's pending error (`SO_ERROR`); 0: none.
///
/// # Errors
/// `ENOTSOCK`, `EBADF`.
pub fn socket_error(fd: u32) -> Result<i32, Errno> {
    socket_option(fd, abi::raw::net::SO_ERROR).map(i32::from_ne_bytes)
}

/// The user whose process is at the other end of this unix socket (`SO_PEERCRED`).
///
/// # Errors
/// `ENOTSOCK`, `EBADF`.
pub fn peer_uid(fd: u32) -> Result<u32, Errno> {
    let [_, _, _, _, u0, u1, u2, u3, ..] = socket_option::<12>(fd, abi::raw::net::SO_PEERCRED)?;
    Ok(u32::from_ne_bytes([u0, u1, u2, u3]))
}

/// geteuid(2).
#[must_use]
pub fn geteuid() -> u32 {
    plain(nr::GETEUID, [0; 6]).ok().and_then(|uid| u32::try_from(uid).ok()).unwrap_or(u32::MAX)
}

/// Waits while `word` is `value`, at most `timeout_ns` if there is one. Returns early for many reasons.
///
/// # Errors
/// `EAGAIN`: it was another value; `ETIMEDOUT`; `EINTR`: a signal came.
pub fn futex_wait(word: &AtomicU32, value: u32, timeout_ns: Option<u64>, wait: Wait) -> Result<(), Errno> {
    let timeout = timeout_ns.map(|ns| [ns / 1_000_000_000, ns % 1_000_000_000]);
    let at = timeout.as_ref().map_or(0, |timeout| timeout.as_ptr() as usize);
    let args = [word.as_ptr() as usize, FUTEX_WAIT_PRIVATE, value as usize, at, 0, 0];
    // SAFETY: the kernel reads the word and the time-out, which live as long as the call.
    Errno::from_rax(unsafe { enter(wait, nr::FUTEX, args) }).map(drop)
}

/// Wakes up to `count` waiters of `word`.
pub fn futex_wake(word: &AtomicU32, count: u32) {
    let _ = plain(nr::FUTEX, [word.as_ptr() as usize, FUTEX_WAKE_PRIVATE, count as usize, 0, 0, 0]);
}

/// getpid(2).
#[must_use]
pub fn getpid() -> u32 {
    plain(nr::GETPID, [0; 6]).ok().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0)
}

/// gettid(2).
#[must_use]
pub fn gettid() -> u32 {
    plain(nr::GETTID, [0; 6]).ok().and_then(|tid| u32::try_from(tid).ok()).unwrap_or(0)
}

/// How many descriptors this process may have (`RLIMIT_NOFILE`, the soft one).
#[must_use]
pub fn descriptor_limit() -> u32 {
    const RLIMIT_NOFILE: usize = 7;
    let mut limits = [0_u64; 2];
    // SAFETY: the kernel writes one `struct rlimit64`.
    let _ = unsafe { syscall(nr::PRLIMIT64, [0, RLIMIT_NOFILE, 0, limits.as_mut_ptr() as usize, 0, 0]) };
    u32::try_from(limits[0]).unwrap_or(u32::MAX)
}

/// Sleeps; a signal ends it early.
///
/// # Errors
/// `EINTR`.
pub fn sleep_ns(ns: u64) -> Result<(), Errno> {
    let time = [ns / 1_000_000_000, ns % 1_000_000_000];
    // SAFETY: the kernel reads one `struct timespec`.
    let rax = unsafe { interruptible(nr::NANOSLEEP, [time.as_ptr() as usize, 0, 0, 0, 0, 0]) };
    Errno::from_rax(rax).map(drop)
}

/// Waits until there is something to read, or the other side is gone; `false`: not within this time.
///
/// # Errors
/// `EINTR`.
pub fn wait_readable(fd: u32, timeout_ns: u64) -> Result<bool, Errno> {
    use abi::layout::Pollfd;
    const POLLIN: u16 = 1;
    let mut entry = Pollfd { fd: fd.cast_signed(), events: POLLIN, revents: 0 };
    let time = [timeout_ns / 1_000_000_000, timeout_ns % 1_000_000_000];
    let args = [&raw mut entry as usize, 1, time.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads and writes one `struct pollfd`, and reads one `struct timespec`.
    Errno::from_rax(unsafe { interruptible(nr::PPOLL, args) }).map(|ready| ready > 0)
}

/// Waits until one of at most four descriptors is readable or not there, or for so long. Signals do not end it where they
/// are blocked.
pub fn poll_readable(fds: &[u32], timeout_ns: u64) {
    use abi::layout::Pollfd;
    const POLLIN: u16 = 1;
    let mut entries = [Pollfd { fd: -1, events: POLLIN, revents: 0 }; 4];
    for (entry, fd) in entries.iter_mut().zip(fds) {
        entry.fd = fd.cast_signed();
    }
    let time = [timeout_ns / 1_000_000_000, timeout_ns % 1_000_000_000];
    let args = [entries.as_mut_ptr() as usize, entries.len(), time.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads and writes the array, and reads one `struct timespec`.
    let _ = unsafe { syscall(nr::PPOLL, args) };
}

/// eventfd(2), which does not block and is closed by execve(2).
///
/// # Errors
/// The host's.
pub fn eventfd() -> Result<Fd, Errno> {
    // EFD_CLOEXEC and EFD_NONBLOCK are those of open(2).
    let flags = (abi::raw::general::O_CLOEXEC | abi::raw::general::O_NONBLOCK) as usize;
    let number = plain(nr::EVENTFD2, [0, flags, 0, 0, 0, 0])?;
    u32::try_from(number).map(Fd::own).map_err(|_| Errno::EMFILE)
}

/// New memory of so many bytes, as its address.
///
/// # Errors
/// `ENOMEM`, `EINVAL`.
pub fn map_anonymous(len: usize) -> Result<u64, Errno> {
    use abi::raw::general::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};
    let (prot, flags) = ((PROT_READ | PROT_WRITE) as usize, (MAP_PRIVATE | MAP_ANONYMOUS) as usize);
    // SAFETY: the kernel chooses a range that nobody uses.
    let rax = unsafe { syscall(nr::MMAP, [0, len, prot, flags, usize::MAX, 0]) };
    Errno::from_rax(rax).map(|address| address as u64)
}

/// Looks at what has arrived without taking it.
///
/// # Errors
/// The host's; `EAGAIN`: nothing has.
pub fn peek(socket: u32, into: &mut [u8]) -> Result<usize, Errno> {
    use abi::raw::net::{MSG_DONTWAIT, MSG_PEEK};
    let flags = (MSG_PEEK | MSG_DONTWAIT) as usize;
    // SAFETY: the kernel writes within the slice.
    Errno::from_rax(unsafe {
        syscall(nr::RECVFROM, [socket as usize, into.as_mut_ptr() as usize, into.len(), flags, 0, 0])
    })
}

/// sched_yield(2): lets others of this core run. Answers how many ticks of the processor's time stamp counter that took:
/// 1 to 5 in a nanosecond.
pub fn sched_yield() -> u64 {
    // SAFETY: reads a counter. PR_SET_TSC can forbid it, and with it the C library's clock_gettime.
    let start = unsafe { core::arch::x86_64::_rdtsc() };
    let _ = plain(nr::SCHED_YIELD, [0; 6]);
    // SAFETY: as above.
    unsafe { core::arch::x86_64::_rdtsc() }.wrapping_sub(start)
}

/// tgkill(2).
///
/// # Errors
/// The host's.
pub fn tgkill(pid: u32, tid: u32, signo: u32) -> Result<(), Errno> {
    plain(nr::TGKILL, [pid as usize, tid as usize, signo as usize, 0, 0, 0]).map(drop)
}

/// readlink(2): answers how many bytes of the target fitted.
///
/// # Errors
/// The host's.
pub fn read_link(path: &CStr, into: &mut [u8]) -> Result<usize, Errno> {
    let args = [path.as_ptr() as usize, into.as_mut_ptr() as usize, into.len(), 0, 0, 0];
    // SAFETY: the kernel reads the path and writes within the slice.
    Errno::from_rax(unsafe { syscall(nr::READLINK, args) })
}

/// Names the process as ps(1) shows it (`PR_SET_NAME`): what fits of it.
pub fn set_process_name(name: &CStr) {
    const PR_SET_NAME: usize = 15;
    // SAFETY: the kernel reads at most 16 bytes of a string.
    let _ = unsafe { syscall(nr::PRCTL, [PR_SET_NAME, name.as_ptr() as usize, 0, 0, 0, 0]) };
}

/// `CLOCK_MONOTONIC` in nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: the kernel writes one `struct timespec`.
    let _ = unsafe { syscall(nr::CLOCK_GETTIME, [CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    time[0].wrapping_mul(1_000_000_000).wrapping_add(time[1])
}

/// Whether this process may use Syscall User Dispatch: Linux has it since 5.11, and a container's filter may refuse it.
#[must_use]
pub fn has_user_dispatch() -> bool {
    use abi::raw::prctl::{PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF};
    let args = [PR_SET_SYSCALL_USER_DISPATCH as usize, PR_SYS_DISPATCH_OFF as usize, 0, 0, 0, 0];
    // SAFETY: it is off, and stays so.
    Errno::from_rax(unsafe { syscall(nr::PRCTL, args) }).is_ok()
}

/// Ends the process.
pub fn exit_group(status: i32) -> ! {
    loop {
        let _ = plain(nr::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]);
    }
}
