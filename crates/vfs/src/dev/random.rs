//! random(4). The numbers follow from the seed that the server draws from the host: the same seed, the same bytes, so that
//! tests repeat. They are not fit for keys; getrandom(2) is the host's.

use super::CharDevice;
use abi::Errno;

/// splitmix64.
pub(super) struct Generator(u64);

impl Generator {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

pub(super) struct Random(pub(super) Generator);

impl CharDevice for Random {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        for piece in into.chunks_mut(8) {
            let word = self.0.next().to_le_bytes();
            piece.copy_from_slice(&word[..piece.len()]);
        }
        Ok(into.len())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        Ok(bytes.len())
    }
}
