use super::*;
use crate::world::{Outcome, Reply};
use abi::table;

/// What **intercept** does itself, with this crate's help around fork and exec.
const INTERCEPTED: [u32; 9] = [
    nr::RT_SIGACTION,
    nr::RT_SIGPROCMASK,
    nr::RT_SIGRETURN,
    nr::PRCTL,
    nr::ARCH_PRCTL,
    nr::CLONE,
    nr::CLONE3,
    nr::FORK,
    nr::VFORK,
];

struct Nowhere;

impl World for Nowhere {
    fn host(&self, _: u32, _: Args) -> Outcome {
        Err(Errno::ENOSYS)
    }
    fn host_waiting(&self, _: u32, _: Args) -> Outcome {
        Err(Errno::ENOSYS)
    }
    fn read(&self, _: u64, _: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EFAULT)
    }
    fn write(&self, _: u64, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::EFAULT)
    }
    fn read_str(&self, _: u64, _: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EFAULT)
    }
    fn connect_early(&self) {}

    fn own_in_child(&self) -> Option<u32> {
        None
    }

    fn is_connected(&self) -> bool {
        false
    }
    fn generation(&self) -> u32 {
        0
    }
    fn rump(&self, _: &'static Row, _: Args, _: &[u32]) -> Result<Reply, Errno> {
        Err(Errno::ENOTCONN)
    }
    fn move_own(&self, _: u32) -> Result<(), Errno> {
        Err(Errno::EMFILE)
    }
    fn move_own_above(&self, _: u32) -> Result<(), Errno> {
        Err(Errno::EMFILE)
    }
    fn session_fd(&self) -> Option<u32> {
        None
    }
    fn fork_auth(&self) -> Option<[u8; 16]> {
        None
    }
    fn task(&self) -> usize {
        0
    }
}

#[test]
fn every_special_row_has_code() {
    for row in table::all().filter(|row| row.route == Route::Special) {
        let has = handler::<Nowhere>(row.nr).is_some();
        assert_ne!(has, INTERCEPTED.contains(&row.nr), "{}: in exactly one of the two", row.name());
    }
}
