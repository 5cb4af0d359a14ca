//! tty(4): no process of a rump kernel has a controlling terminal there.

use super::CharDevice;
use abi::Errno;

pub(super) struct Tty;

impl CharDevice for Tty {
    fn open(&self) -> Result<(), Errno> {
        Err(Errno::ENXIO)
    }

    fn read(&mut self, _into: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }

    fn write(&mut self, _bytes: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }
}
