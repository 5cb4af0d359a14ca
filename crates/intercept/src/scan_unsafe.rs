//! Whether an object holds the bytes of an instruction that makes a call at all, which most do not: `syscall`, `sysenter`, `int $0x80`.

use crate::image_unsafe::Object;
use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};

/// Larger code is not looked through: a file that says what it holds is opened in less time.
const SCANNED_MAX: usize = 256 << 10;
const STEP: usize = 16;

/// Whether an object may hold calls; `None`: it is too large to be looked through.
pub(crate) fn holds_call(object: &Object<'_>) -> Option<bool> {
    let size: usize = object.texts().map(<[u8]>::len).sum();
    (size <= SCANNED_MAX).then(|| object.texts().any(has_call))
}

fn has_call(bytes: &[u8]) -> bool {
    let is_call = |pair: &[u8]| matches!(pair, [0x0f, 0x05 | 0x34] | [0xcd, 0x80]);
    let mut at = 0;
    while at + STEP < bytes.len() {
        // SAFETY: 16 bytes from `at` and from `at + 1` on lie within the slice; SSE2 is every x86-64 processor's.
        let found = unsafe {
            let (first, second) = (load(bytes, at), load(bytes, at + 1));
            let is = |bytes, byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte.cast_signed()));
            let fast = _mm_and_si128(is(first, 0x0f), _mm_or_si128(is(second, 0x05), is(second, 0x34)));
            _mm_movemask_epi8(_mm_or_si128(fast, _mm_and_si128(is(first, 0xcd), is(second, 0x80))))
        };
        if found != 0 {
            return true;
        }
        at += STEP;
    }
    bytes.get(at..).unwrap_or_default().windows(2).any(is_call)
}

/// # Safety
/// `bytes` has 16 bytes from `at` on.
unsafe fn load(bytes: &[u8], at: usize) -> __m128i {
    // SAFETY: the caller's promise; the load may be unaligned.
    unsafe { _mm_loadu_si128(bytes.as_ptr().add(at).cast()) }
}

#[cfg(test)]
mod tests {
    use super::has_call;
    use alloc::vec;

    #[test]
    fn a_call_is_found_wherever_it_is() {
        for [first, second] in [[0x0f, 0x05], [0x0f, 0x34], [0xcd, 0x80]] {
            for len in 0..70 {
                let mut bytes = vec![first; len];
                assert!(!has_call(&bytes), "{len}");
                for at in 1..len {
                    bytes[at] = second;
                    assert!(has_call(&bytes), "{second:x} at {at} of {len}");
                    bytes[at] = first;
                }
            }
        }
    }
}
