//! The host's calls as a program makes them.

use abi::Errno;

/// A system call of the host, on memory that the test names.
///
/// # Errors
/// The host's.
pub fn syscall(number: u32, args: [u64; 6]) -> Result<u64, Errno> {
    // SAFETY: what the call does to memory is the business of the test that names its addresses.
    let value = unsafe { host::syscall(number, args.map(|arg| arg as usize)) };
    Errno::from_rax(value).map(|value| value as u64)
}
