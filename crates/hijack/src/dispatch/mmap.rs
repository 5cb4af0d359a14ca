//! mmap(2) of a file in the rump kernel: of the memory file that it hands out.

use super::{Answer, Call, Verdict, row_of, with};
use crate::Hijack;
use crate::owner::Owner;
use crate::world::World;
use abi::raw::general::MAP_ANONYMOUS;
use abi::{Errno, private};

pub(super) fn mmap<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [_, _, prot, flags, fd, _] = call.args;
    if flags as u32 & MAP_ANONYMOUS != 0 {
        return Ok(Answer::Host);
    }
    let Owner::Rump(rump) = h.owner(fd)? else { return Ok(Answer::Host) };
    let reply = h.world.rump(row_of(private::MAPFD)?, [rump.kernel_fd.0.into(), prot, 0, 0, 0, 0], &[])?;
    reply.result?;
    let memory = reply.files.first().and_then(|file| file.host_fd).ok_or(Errno::ENODEV)?;
    let mapped = h.world.host(call.nr, with(call.args, 4, memory.into()));
    h.close_quietly(memory);
    mapped.map(Answer::Value)
}
