//! full(4): always full.

use super::CharDevice;
use abi::Errno;

pub(super) struct Full;

impl CharDevice for Full {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        into.fill(0);
        Ok(into.len())
    }

    fn write(&mut self, _bytes: &[u8]) -> Result<usize, Errno> {
        Err(Errno::ENOSPC)
    }
}
