//! io_submit(2): the host's; what it would do with a rump descriptor's own bytes, which are the library's, it must not.

use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::fds::Entry;
use crate::owner::Owner;
use crate::world::World;
use abi::Errno;

/// Where `aio_fildes` is in `struct iocb` (linux/aio_abi.h).
const FILDES: u64 = 20;
/// More are never taken at once (io_setup(2), /proc/sys/fs/aio-max-nr).
const COUNT_MAX: u64 = 1 << 16;

/// io_submit(2): "the number of iocbs submitted (which may be less than nr)". The first that is on a rump descriptor gets `EINVAL`,
/// "the file descriptor ... is not appropriate for the operation".
pub(super) fn io_submit<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [context, count, array, ..] = call.args;
    // Negative: the host's EINVAL. What cannot be read is the host's EFAULT.
    let count = if count.cast_signed() < 0 { 0 } else { count.min(COUNT_MAX) };
    match (0..count).find(|at| is_not_hosts(h, array.wrapping_add(at * 8))) {
        None => Ok(Answer::Host),
        Some(0) => Err(Errno::EINVAL),
        Some(before) => h.world.host(call.nr, [context, before, array, 0, 0, 0]).map(Answer::Value),
    }
}

fn is_not_hosts<W: World>(h: &Hijack<W>, pointer: u64) -> bool {
    let (mut block, mut fd) = ([0; 8], [0; 4]);
    let read = h.world.read(pointer, &mut block).is_ok()
        && h.world.read(u64::from_ne_bytes(block).wrapping_add(FILDES), &mut fd).is_ok();
    let fd = u32::from_ne_bytes(fd);
    read && h.fds.get(fd) != Entry::Host && !matches!(h.owner(fd.into()), Ok(Owner::Host))
}
