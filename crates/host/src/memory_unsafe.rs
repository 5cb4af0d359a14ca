//! The program's memory, by addresses that may be bad: `EFAULT` instead of a crash.
//!
//! Few bytes are read and written as they are once the kernel has said that their page can be: that costs 0.1 us, where
//! process_vm_readv(2) on oneself, which copies many with the kernel's care, costs 0.9 us (Linux 6.18). A sandbox
//! may forbid the latter; then the bytes are copied as they are, and a bad address crashes the program as it would in
//! its own code.

use crate::gadget_unsafe::syscall;
use crate::getpid;
use abi::layout::Iovec;
use abi::{Errno, nr};
use core::sync::atomic::{AtomicU64, Ordering};

const PAGE: u64 = 4096;

/// Beyond so many pages one process_vm_readv(2) is cheaper than asking for each.
const PAGES_ASKED: usize = 8;

/// Copies `into.len()` bytes from `address`.
///
/// # Errors
/// `EFAULT`: not all of them can be read.
pub fn copy_in(address: u64, into: &mut [u8]) -> Result<(), Errno> {
    if into.len() > PAGES_ASKED * PAGE as usize {
        return copy_in_long(address, into);
    }
    let mut done = 0;
    while done < into.len() {
        let at = address.checked_add(done as u64).ok_or(Errno::EFAULT)?;
        let piece = usize::try_from(PAGE - at % PAGE).unwrap_or(1).min(into.len() - done);
        if !is_readable(at) {
            return Err(Errno::EFAULT);
        }
        // SAFETY: the piece lies in one page, which the kernel has read from.
        unsafe { core::ptr::copy(at as *const u8, into[done..done + piece].as_mut_ptr(), piece) };
        done += piece;
    }
    Ok(())
}

/// Whether all of these bytes can be read.
#[must_use]
pub fn can_read(address: u64, len: usize) -> bool {
    let Some(last) = address.checked_add((len as u64).saturating_sub(1)) else { return false };
    (address / PAGE..=last / PAGE).all(|page| is_readable(page * PAGE))
}

/// Pages that could be read, or written, when last asked for: each as its number and, in the lowest 12 bits, the generation that it
/// was asked in.
struct Pages([AtomicU64; 64]);
static READABLE: Pages = Pages([const { AtomicU64::new(NO_PAGE) }; 64]);
static WRITABLE: Pages = Pages([const { AtomicU64::new(NO_PAGE) }; 64]);
const NO_PAGE: u64 = u64::MAX;
const GENERATIONS: u64 = 1 << 12;

/// Counts the times when memory was taken away.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Programs' addresses lie below.
const USER_END: u64 = 1 << 47;

/// The program's memory has changed: what could be read or written need not be any more. To be called behind munmap(2), mprotect(2) and
/// their like.
pub fn forget_pages() {
    let generation = GENERATION.fetch_add(1, Ordering::AcqRel) + 1;
    if generation.is_multiple_of(GENERATIONS) {
        // Its number comes again.
        let pages = READABLE.0.iter().chain(&WRITABLE.0);
        pages.for_each(|page| page.store(NO_PAGE, Ordering::Release));
    }
}

impl Pages {
    /// Whether the page of this address is known, or the kernel says so now. What calls name lies on few pages, and to ask
    /// each time costs as much again as fstat(2) does.
    fn have(&self, address: u64, kernel_says: impl FnOnce() -> bool) -> bool {
        if !(PAGE..USER_END).contains(&address) {
            return kernel_says();
        }
        let page = address / PAGE;
        let known = &self.0[(page % 64) as usize];
        let tag = (page * GENERATIONS) + GENERATION.load(Ordering::Acquire) % GENERATIONS;
        if known.load(Ordering::Relaxed) == tag {
            return true;
        }
        let yes = kernel_says();
        if yes {
            known.store(tag, Ordering::Relaxed);
        }
        yes
    }
}

fn is_readable(address: u64) -> bool {
    READABLE.have(address, || kernel_can_read(address))
}

/// Asks the kernel: rt_sigprocmask(2) reads a set of eight bytes before it refuses the impossible thing that it is to do
/// with it.
fn kernel_can_read(address: u64) -> bool {
    const IMPOSSIBLE: usize = usize::MAX;
    const SET_SIZE: u64 = 8;
    let within = address.min(address / PAGE * PAGE + (PAGE - SET_SIZE));
    // SAFETY: the call reads the set, or fails, and changes nothing.
    let rax =
        unsafe { syscall(nr::RT_SIGPROCMASK, [IMPOSSIBLE, within as usize, 0, SET_SIZE as usize, 0, 0]) };
    rax == Errno::EINVAL.to_rax()
}

fn copy_in_long(address: u64, into: &mut [u8]) -> Result<(), Errno> {
    let local = Iovec { iov_base: into.as_mut_ptr() as u64, iov_len: into.len() as u64 };
    let remote = Iovec { iov_base: address, iov_len: local.iov_len };
    match transfer(nr::PROCESS_VM_READV, local, remote) {
        Ok(moved) if moved == into.len() => Ok(()),
        Ok(_) | Err(Errno::EFAULT) => Err(Errno::EFAULT),
        Err(_) => {
            // SAFETY: the program named this range as readable; no better check is allowed here.
            unsafe { core::ptr::copy(address as *const u8, into.as_mut_ptr(), into.len()) };
            Ok(())
        }
    }
}

/// Copies `bytes` to `address`.
///
/// # Errors
/// `EFAULT`: not all of them can be written; a part may have been.
pub fn copy_out(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    if bytes.len() > PAGES_ASKED * PAGE as usize {
        return copy_out_long(address, bytes);
    }
    let mut done = 0;
    while done < bytes.len() {
        let at = address.checked_add(done as u64).ok_or(Errno::EFAULT)?;
        let piece = usize::try_from(PAGE - at % PAGE).unwrap_or(1).min(bytes.len() - done);
        if !is_writable(at, piece) {
            return Err(Errno::EFAULT);
        }
        // SAFETY: the piece lies in one page, to which the kernel has written.
        unsafe { core::ptr::copy(bytes[done..done + piece].as_ptr(), at as *mut u8, piece) };
        done += piece;
    }
    Ok(())
}

/// Whether `len` bytes of one page can be written.
fn is_writable(address: u64, len: usize) -> bool {
    WRITABLE.have(address, || kernel_can_write(address, len))
}

/// Whether `len` bytes of one page can be written: asked by having the kernel write some there, the thread's signal mask
/// or, where that is too long, a part of its pending signals.
fn kernel_can_write(address: u64, len: usize) -> bool {
    const SET_SIZE: usize = 8;
    // To rt_sigprocmask(2) a null pointer means that the mask is not wanted: no error.
    if address == 0 {
        return false;
    }
    let (nr, args) = if len >= SET_SIZE {
        (nr::RT_SIGPROCMASK, [0, 0, address as usize, SET_SIZE, 0, 0])
    } else {
        (nr::RT_SIGPENDING, [address as usize, len, 0, 0, 0, 0])
    };
    // SAFETY: either call writes to the range alone, or fails.
    unsafe { syscall(nr, args) == 0 }
}

fn copy_out_long(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let local = Iovec { iov_base: bytes.as_ptr() as u64, iov_len: bytes.len() as u64 };
    let remote = Iovec { iov_base: address, iov_len: local.iov_len };
    match transfer(nr::PROCESS_VM_WRITEV, local, remote) {
        Ok(moved) if moved == bytes.len() => Ok(()),
        Ok(_) | Err(Errno::EFAULT) => Err(Errno::EFAULT),
        Err(_) => {
            // SAFETY: the program named this range as writable; no better check is allowed here.
            unsafe { core::ptr::copy(bytes.as_ptr(), address as *mut u8, bytes.len()) };
            Ok(())
        }
    }
}

/// Copies a string up to and including its NUL, or as much as `into` holds. Answers how many bytes.
///
/// # Errors
/// `EFAULT`: memory ends before the string does.
pub fn copy_in_string(address: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < into.len() {
        let at = address.checked_add(done as u64).ok_or(Errno::EFAULT)?;
        // A page at a time: the next one need not exist if the string ends on this one.
        let piece = usize::try_from(PAGE - at % PAGE).unwrap_or(1).min(into.len() - done);
        let window = &mut into[done..done + piece];
        copy_in(at, window)?;
        if let Some(end) = window.iter().position(|&byte| byte == 0) {
            return Ok(done + end + 1);
        }
        done += piece;
    }
    Ok(done)
}

fn transfer(nr: u32, local: Iovec, remote: Iovec) -> Result<usize, Errno> {
    if local.iov_len == 0 {
        return Ok(0);
    }
    let (local, remote) = (&raw const local as usize, &raw const remote as usize);
    // SAFETY: the local range is a slice of ours; the kernel checks the remote one.
    Errno::from_rax(unsafe { syscall(nr, [getpid() as usize, local, 1, remote, 1, 0]) })
}
