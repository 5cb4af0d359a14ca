//! Waiting for descriptors of both kernels where the host descriptors of rump files do not show all that is so: the host does the waiting,
//! and the rump kernel is asked before and behind it.

use super::row_of;
use crate::Hijack;
use crate::owner::Owner;
use crate::world::World;
use abi::layout::Pollfd;
use abi::{Errno, nr};
use alloc::vec::Vec;

/// poll(2), or ppoll(2) without a mask: `time` is the call and its third argument. Answers how many descriptors have something to
/// tell, which is in their `revents`.
///
/// # Errors
/// `EINTR`, and what else they say.
pub(super) fn wait<W: World>(h: &Hijack<W>, fds: &mut [Pollfd], time: (u32, u64)) -> Result<u64, Errno> {
    if look(h, fds)? > 0 {
        return Ok(count(fds));
    }
    let (call, limit) = time;
    let args = [fds.as_mut_ptr() as u64, fds.len() as u64, limit, 0, 8, 0];
    // Neither is made again, whatever SA_RESTART says (signal(7)).
    let ready = h.world.host_waiting(call, args).map_err(|errno| match errno.number() {
        crate::world::ERESTARTSYS => Errno::EINTR,
        _ => errno,
    })?;
    let told = fds.to_vec();
    if ready > 0 && look(h, fds)? == 0 {
        // What there was is gone again; or others ask for urgent data, which looks like some to read.
        fds.copy_from_slice(&told);
    }
    Ok(count(fds))
}

/// What both kernels say now.
fn look<W: World>(h: &Hijack<W>, fds: &mut [Pollfd]) -> Result<u64, Errno> {
    h.world.host(nr::POLL, [fds.as_mut_ptr() as u64, fds.len() as u64, 0, 0, 0, 0])?;
    let (mut asked, mut at) = (Vec::new(), Vec::new());
    for (index, entry) in fds.iter().enumerate().filter(|(_, entry)| entry.fd >= 0) {
        if let Ok(Owner::Rump(rump)) = h.owner_at_once(u64::from(entry.fd as u32)) {
            let fd = i32::try_from(rump.kernel_fd.0).map_err(|_| Errno::EBADF)?;
            asked.push(Pollfd { fd, ..*entry });
            at.push(index);
        }
    }
    let args = [asked.as_mut_ptr() as u64, asked.len() as u64, 0, 0, 0, 0];
    // Without their kernel the host's word stands.
    if h.rump(row_of(nr::POLL)?, args).is_ok() {
        for (found, index) in asked.iter().zip(at) {
            if let Some(entry) = fds.get_mut(index) {
                entry.revents = found.revents;
            }
        }
    }
    Ok(count(fds))
}

fn count(fds: &[Pollfd]) -> u64 {
    fds.iter().filter(|entry| entry.revents != 0).count() as u64
}
