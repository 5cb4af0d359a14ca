//! The host's calls and bytes at addresses, for tests.

use abi::Errno;

/// A system call of the host.
pub(crate) fn syscall(number: u32, [a, b, c, d, e, f]: [u64; 6]) -> Result<u64, Errno> {
    let value: isize;
    // SAFETY: what the call does to memory is the business of the test that names its addresses.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") u64::from(number) as isize => value,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    Errno::from_rax(value).map(|value| value as u64)
}

/// Bytes of the test's own memory.
pub(crate) fn copy_from(address: u64, into: &mut [u8]) -> Result<(), Errno> {
    if address < 4096 {
        return Err(Errno::EFAULT);
    }
    // SAFETY: tests name memory of their own or a null pointer.
    unsafe { core::ptr::copy_nonoverlapping(address as *const u8, into.as_mut_ptr(), into.len()) };
    Ok(())
}

/// Writes the test's own memory.
pub(crate) fn copy_to(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    if address < 4096 {
        return Err(Errno::EFAULT);
    }
    // SAFETY: as above.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
    Ok(())
}
