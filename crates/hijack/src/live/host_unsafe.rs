//! The host's calls with arguments as the program gave them, and memory from the host.

use crate::fds::TABLE_SIZE;
use crate::world::{Args, Outcome};
use abi::raw::general::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use abi::{Errno, nr};
use core::sync::atomic::AtomicU64;

#[allow(clippy::cast_possible_truncation, reason = "usize has 64 bits on x86-64")]
fn registers(args: Args) -> [usize; 6] {
    args.map(|arg| arg as usize)
}

/// A call that does not wait.
pub(super) fn call(number: u32, args: Args) -> Outcome {
    // SAFETY: the call is the program's own, or one of ours with addresses of ours; the kernel checks them.
    Errno::from_rax(unsafe { host::syscall(number, registers(args)) }).map(|value| value as u64)
}

/// A call that a signal may end.
pub(super) fn call_waiting(number: u32, args: Args) -> Outcome {
    // SAFETY: as above.
    Errno::from_rax(unsafe { host::interruptible(number, registers(args)) }).map(|value| value as u64)
}

/// The descriptor table's words, zero, of which the host provides what is touched.
///
/// # Errors
/// `ENOMEM`.
pub(super) fn table() -> Result<&'static [AtomicU64], Errno> {
    let size = TABLE_SIZE * size_of::<AtomicU64>();
    let (prot, flags) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    let address = call(nr::MMAP, [0, size as u64, prot.into(), flags.into(), u64::MAX, 0])?;
    // SAFETY: the mapping is new, zeroed, page-aligned, of this size, and is never unmapped.
    Ok(unsafe { core::slice::from_raw_parts(address as *const AtomicU64, TABLE_SIZE) })
}
