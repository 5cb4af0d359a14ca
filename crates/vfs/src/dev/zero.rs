//! zero(4).

use super::CharDevice;
use abi::Errno;

pub(super) struct Zero;

impl CharDevice for Zero {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        into.fill(0);
        Ok(into.len())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        Ok(bytes.len())
    }
}
