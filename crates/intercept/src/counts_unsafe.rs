//! How calls were caught, counted in a file that processes share.
//!
//! The file is what `RUMPHIJACK__TRAPS` names. Its first two words are the number of traps and where the last one was. If it is long
//! enough ([`abi::counts`]) two words for each call's number follow, and every call is caught so that it can be counted.

use abi::counts::{BYTES, CALLS, HEAD, NUMBERS};
use abi::raw::general::{MAP_SHARED, PROT_READ, PROT_WRITE};
use abi::{Errno, nr};
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use host::Fd;

/// Where traps are counted if in no file.
static OWN: [AtomicU64; HEAD] = [const { AtomicU64::new(0) }; HEAD];
static SHARED: AtomicPtr<[AtomicU64; HEAD]> = AtomicPtr::new(core::ptr::null_mut());
static PER_CALL: AtomicPtr<[AtomicU64; CALLS]> = AtomicPtr::new(core::ptr::null_mut());

/// How many calls were caught by the trap.
pub(crate) fn traps() -> u64 {
    head()[0].load(Ordering::Relaxed)
}

/// Counts a trap at this address.
pub(crate) fn trapped(rip: u64) {
    let [count, last] = head();
    count.fetch_add(1, Ordering::Relaxed);
    last.store(rip, Ordering::Relaxed);
}

/// Counts a call, if calls are counted one by one.
pub(crate) fn call(number: u32, trapped: bool) {
    // SAFETY: only `share` stores here, and what it stores is never unmapped.
    let Some(words) = (unsafe { PER_CALL.load(Ordering::Acquire).as_ref() }) else { return };
    let at = (number as usize).min(NUMBERS - 1) * 2 + usize::from(trapped);
    if let Some(word) = words.get(at) {
        word.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether calls are counted one by one.
pub(crate) fn each_call() -> bool {
    !PER_CALL.load(Ordering::Acquire).is_null()
}

fn head() -> &'static [AtomicU64; HEAD] {
    // SAFETY: as above.
    unsafe { SHARED.load(Ordering::Acquire).as_ref() }.unwrap_or(&OWN)
}

/// Counts in this open file of `size` bytes from now on.
///
/// # Errors
/// mmap(2)'s; `EINVAL`: the file is too short.
pub(crate) fn share(file: &Fd, size: u64) -> Result<(), Errno> {
    if size < (HEAD * 8) as u64 {
        return Err(Errno::EINVAL);
    }
    let (prot, flags) = (PROT_READ | PROT_WRITE, MAP_SHARED);
    let args = [0, BYTES, prot as usize, flags as usize, file.number() as usize, 0];
    // SAFETY: a new mapping. Of a short file only the first page is touched, which it has.
    let at = Errno::from_rax(unsafe { host::syscall(nr::MMAP, args) })?;
    SHARED.store(at as *mut [AtomicU64; HEAD], Ordering::Release);
    if size >= BYTES as u64 {
        PER_CALL.store((at + HEAD * 8) as *mut [AtomicU64; CALLS], Ordering::Release);
    }
    Ok(())
}
