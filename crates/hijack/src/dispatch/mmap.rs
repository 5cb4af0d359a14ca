//! mmap(2) of a file in the rump kernel: of the memory file that it hands out. Where it has none, a private mapping
//! is memory of the program's own with the file's contents.

use super::{Answer, Call, Verdict, row_of, with};
use crate::Hijack;
use crate::fds::{Kind, RumpFd};
use crate::owner::Owner;
use crate::world::{Outcome, World};
use abi::layout::Stat;
use abi::raw::general::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE, S_IFCHR, S_IFMT};
use abi::{Errno, nr, private};
use core::sync::atomic::Ordering;

/// What is copied at once.
const PIECE: u64 = 256 << 10;

pub(super) fn mmap<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [_, _, _, flags, fd, _] = call.args;
    if flags as u32 & MAP_ANONYMOUS != 0 {
        return Ok(Answer::Host);
    }
    let Owner::Rump(rump) = h.owner(fd)? else { return Ok(Answer::Host) };
    let mapped = match shared(h, call, rump) {
        Err(Errno::ENODEV | Errno::ENOSYS)
            if flags as u32 & MAP_PRIVATE != 0 && rump.kind == Kind::Regular =>
        {
            copied(h, call, rump)
        }
        Err(Errno::ENODEV | Errno::ENOSYS) if rump.kind == Kind::Device && is_zero(h, rump) => {
            let flags = flags | u64::from(MAP_ANONYMOUS);
            h.world.host(call.nr, with(with(with(call.args, 3, flags), 4, u64::MAX), 5, 0))
        }
        // mmap(2): "the underlying filesystem does not support memory mapping".
        Err(Errno::ENOSYS) => Err(Errno::ENODEV),
        outcome => outcome,
    };
    mapped.map(Answer::Value)
}

fn shared<W: World>(h: &Hijack<W>, call: &Call, rump: RumpFd) -> Outcome {
    let [_, _, prot, flags, ..] = call.args;
    // A private mapping is written in memory of the program's own.
    let private = flags as u32 & MAP_PRIVATE != 0;
    let prot = if private { prot & !u64::from(PROT_WRITE) } else { prot };
    let args = [rump.kernel_fd.0.into(), prot, 0, 0, 0, 0];
    let reply = h.world.rump(row_of(private::MAPFD)?, args, &[])?;
    reply.result?;
    let memory = reply.host_fd().ok_or(Errno::ENODEV)?;
    h.maps_files.store(true, Ordering::Relaxed);
    let mapped = h.world.host(call.nr, with(call.args, 4, memory.into()));
    h.close_quietly(memory);
    mapped
}

/// Whether it is `/dev/zero`: a mapping of it is memory without a file (zero(4)).
fn is_zero<W: World>(h: &Hijack<W>, rump: RumpFd) -> bool {
    const ZERO: u64 = 1 << 8 | 5;
    let mut stat = Stat::default();
    let args = [rump.kernel_fd.0.into(), (&raw mut stat) as u64, 0, 0, 0, 0];
    let asked = row_of(nr::FSTAT).and_then(|row| h.rump(row, args));
    asked.is_ok() && stat.st_mode & S_IFMT == S_IFCHR && stat.st_rdev == ZERO
}

fn copied<W: World>(h: &Hijack<W>, call: &Call, rump: RumpFd) -> Outcome {
    let [wanted, length, prot, flags, _, offset] = call.args;
    let (writable, anonymous) = (PROT_READ | PROT_WRITE, u64::from(MAP_ANONYMOUS));
    let address = h.world.host(call.nr, [wanted, length, writable.into(), flags | anonymous, u64::MAX, 0])?;
    let outcome = fill(h, rump, address, length, offset)
        .and_then(|()| h.world.host(nr::MPROTECT, [address, length, prot, 0, 0, 0]));
    if outcome.is_err() {
        let _ = h.world.host(nr::MUNMAP, [address, length, 0, 0, 0, 0]);
    }
    outcome.map(|_| address)
}

fn fill<W: World>(h: &Hijack<W>, rump: RumpFd, address: u64, length: u64, offset: u64) -> Result<(), Errno> {
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(PIECE);
        let args = [rump.kernel_fd.0.into(), address + done, piece, offset.wrapping_add(done), 0, 0];
        match h.rump(row_of(nr::PREAD64)?, args)? {
            0 => break,
            got => done += got.min(piece),
        }
    }
    Ok(())
}
