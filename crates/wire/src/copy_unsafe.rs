//! Bytes into and out of memory that another process reads or writes at the same time, many at once.
//!
//! Word by word ([`crate::words`]) there are few cache lines on their way from the other core at once: 10 KiB take 7 µs there and back
//! between cores far apart and 1.8 between near ones; so they take 3.7 and 1.1.

use core::sync::atomic::AtomicU64;

/// Puts bytes into words from byte `at` on; what does not fit is left out.
pub(crate) fn put(words: &[AtomicU64], at: usize, bytes: &[u8]) {
    let len = bytes.len().min(size_of_val(words).saturating_sub(at));
    if len > 0 {
        // SAFETY: `at + len` lies in the words, which may be written behind a shared reference; `bytes` is memory of this process alone.
        unsafe { copy(bytes.as_ptr(), words.as_ptr().cast::<u8>().add(at).cast_mut(), len) };
    }
}

/// Appends the first `len` bytes of words, or as many as there are, to `into`.
pub(crate) fn get(words: &[AtomicU64], len: usize, into: &mut alloc::vec::Vec<u8>) {
    let len = len.min(size_of_val(words));
    into.reserve(len);
    let room = into.spare_capacity_mut();
    // SAFETY: both hold `len` bytes, and the vector's are of this process alone; they are set when its length says so.
    unsafe {
        copy(words.as_ptr().cast(), room.as_mut_ptr().cast(), len);
        into.set_len(into.len() + len);
    }
}

/// Copies bytes one of whose ends is shared: an instruction that the compiler knows nothing of, so that it supposes nothing of
/// memory that changes under it.
///
/// # Safety
/// `from` can be read and `to` be written for `len` bytes.
#[cfg(target_arch = "x86_64")]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's; the direction flag is clear (System V ABI).
    unsafe {
        core::arch::asm!(
            "rep movsb",
            inout("rcx") len => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags),
        );
    }
}

/// As above, a byte at a time.
///
/// # Safety
/// As above.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    for at in 0..len {
        // SAFETY: the caller's.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_bytes(count in 0_usize..40, at in 0_usize..200, bytes: Vec<u8>, len in 0_usize..400) {
            let words: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(u64::MAX)).collect();
            let mut model = alloc::vec![0xff_u8; count * 8];
            put(&words, at, &bytes);
            model.iter_mut().skip(at).zip(&bytes).for_each(|(place, byte)| *place = *byte);
            let mut found = alloc::vec![1];
            get(&words, len, &mut found);
            prop_assert_eq!(&found[1..], &model[..len.min(count * 8)]);
        }
    }
}
