//! random(4): ChaCha20 from the seed that the server draws from the host. The same seed gives the same bytes, so that tests repeat.

use super::CharDevice;
use abi::Errno;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

pub(super) struct Random(ChaCha20Rng);

impl Random {
    /// `stream` tells generators with the same seed apart.
    pub(super) fn new(seed: [u8; 32], stream: u64) -> Self {
        let mut generator = ChaCha20Rng::from_seed(seed);
        generator.set_stream(stream);
        Self(generator)
    }
}

impl CharDevice for Random {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        self.0.fill_bytes(into);
        Ok(into.len())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_from_seed_and_stream() {
        let bytes = |seed, stream| {
            let mut into = [0; 100];
            assert_eq!(Random::new(seed, stream).read(&mut into), Ok(100));
            into
        };
        assert_eq!(bytes([1; 32], 0), bytes([1; 32], 0));
        assert_ne!(bytes([1; 32], 0), bytes([1; 32], 1));
        assert_ne!(bytes([1; 32], 0), bytes([2; 32], 0));
    }
}
