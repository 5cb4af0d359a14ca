//! Calls that move bytes from one descriptor to another inside a kernel. Across kernels they are carried out by
//! copying, or refused where their manual pages let callers fall back.

use super::{Answer, Call, Verdict, row_of, with};
use crate::Hijack;
use crate::fds::{Kind, RumpFd};
use crate::owner::Owner;
use crate::world::{Args, Outcome, World};
use abi::raw::general::{
    F_GETFL, O_ACCMODE, O_APPEND, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_SET,
};
use abi::{Errno, nr};
use alloc::vec;

/// What is copied at once.
const PIECE: u64 = 64 << 10;

/// sendfile(2): "will transfer at most 0x7ffff000 bytes".
const COUNT_MAX: u64 = 0x7fff_f000;

/// One end of a copy.
pub(super) struct End {
    fd: u64,
    pub(super) owner: Owner,
}

impl End {
    /// Its number in the program.
    pub(super) const fn fd(&self) -> u64 {
        self.fd
    }

    pub(super) fn new<W: World>(h: &Hijack<W>, fd: u64) -> Result<Self, Errno> {
        Ok(Self { fd, owner: h.owner(fd)? })
    }

    /// How it was opened.
    fn flags<W: World>(&self, h: &Hijack<W>) -> Result<u32, Errno> {
        self.call(h, nr::FCNTL, [F_GETFL.into(), 0, 0]).map(|flags| flags as u32)
    }

    /// Whether sendfile(2) takes it for what it is to do.
    ///
    /// # Errors
    /// `EBADF`: not open for that. `EINVAL`: "out_fd has the O_APPEND flag set".
    fn check<W: World>(&self, h: &Hijack<W>, writes: bool) -> Result<(), Errno> {
        if matches!(self.owner, Owner::Rump(rump) if rump.kind != Kind::Regular) {
            // A socket's or a fifo's end says so when it is read or written.
            return Ok(());
        }
        let flags = self.flags(h)?;
        let wanted = if writes { O_WRONLY } else { O_RDONLY };
        let mode = flags & O_ACCMODE;
        match flags {
            _ if flags & O_PATH != 0 || mode != wanted && mode != O_RDWR => Err(Errno::EBADF),
            _ if writes && flags & O_APPEND != 0 => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// Makes a call on it whose first argument is its descriptor.
    pub(super) fn call<W: World>(&self, h: &Hijack<W>, number: u32, [one, two, three]: [u64; 3]) -> Outcome {
        let args: Args = [self.fd, one, two, three, 0, 0];
        match self.owner {
            Owner::Host => h.world.host_waiting(number, args),
            Owner::Rump(rump) => {
                h.rump_on(row_of(number)?, with(args, 0, rump.kernel_fd.0.into()), (self.fd as u32, rump))
            }
        }
    }
}

pub(super) fn sendfile<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [to, from, offset_at, count, ..] = call.args;
    let (to, from) = (End::new(h, to)?, End::new(h, from)?);
    if to.owner == Owner::Host && from.owner == Owner::Host {
        return Ok(Answer::Host);
    }
    if let (Owner::Rump(target), Owner::Rump(source)) = (to.owner, from.owner) {
        return inside(h, call, (target, source)).map(Answer::Value);
    }
    from.check(h, false)?;
    to.check(h, true)?;
    let start = if offset_at == 0 {
        // sendfile(2), EINVAL: "an mmap(2)-like operation is not available for in_fd".
        from.call(h, nr::LSEEK, [0, SEEK_CUR.into(), 0]).map_err(|_| Errno::EINVAL)?
    } else {
        let mut offset = [0; 8];
        h.world.read(offset_at, &mut offset)?;
        u64::from_ne_bytes(offset)
    };
    let moved = copy(h, &from, &to, start, count.min(COUNT_MAX))?;
    let end = start.wrapping_add(moved);
    if offset_at == 0 {
        from.call(h, nr::LSEEK, [end, SEEK_SET.into(), 0])?;
    } else {
        h.world.write(offset_at, &end.to_ne_bytes())?;
    }
    Ok(Answer::Value(moved))
}

/// sendfile(2) from one rump descriptor to another: the rump kernel copies, a part at a time.
fn inside<W: World>(h: &Hijack<W>, call: &Call, (to, from): (RumpFd, RumpFd)) -> Outcome {
    let [target, _, offset_at, count, ..] = call.args;
    let row = row_of(call.nr)?;
    let mut moved = 0;
    loop {
        let left = count.min(COUNT_MAX) - moved;
        let args = [to.kernel_fd.0.into(), from.kernel_fd.0.into(), offset_at, left, 0, 0];
        match h.rump_on(row, args, (target as u32, to)) {
            Ok(more) if more > 0 && more < left => moved += more,
            Ok(last) => return Ok(moved + last),
            Err(_) if moved > 0 => return Ok(moved),
            Err(errno) => return Err(errno),
        }
    }
}

/// Copies from a position on, until `count` bytes, the end, or an error: that one is told if nothing was moved.
fn copy<W: World>(h: &Hijack<W>, from: &End, to: &End, start: u64, count: u64) -> Outcome {
    let mut piece = vec![0u8; PIECE.min(count) as usize];
    let address = piece.as_mut_ptr() as u64;
    let mut moved = 0;
    while moved < count {
        let want = PIECE.min(count - moved);
        let step = from.call(h, nr::PREAD64, [address, want, start.wrapping_add(moved)]).and_then(|got| {
            let written = if got == 0 { 0 } else { to.call(h, nr::WRITE, [address, got, 0])? };
            Ok((got, written))
        });
        match step {
            Ok((got, written)) => {
                moved += written;
                if got == 0 || written < got {
                    break;
                }
            }
            Err(_) if moved > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(moved)
}

/// copy_file_range(2): `EXDEV` across kernels; cp(1) reads and writes then.
pub(super) fn copy_file_range<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let (from, to) = (End::new(h, call.args[0])?, End::new(h, call.args[2])?);
    match (from.owner, to.owner) {
        (Owner::Host, Owner::Host) => Ok(Answer::Host),
        (Owner::Rump(from), Owner::Rump(to)) => {
            let args = with(with(call.args, 0, from.kernel_fd.0.into()), 2, to.kernel_fd.0.into());
            h.rump(row_of(call.nr)?, args).map(Answer::Value)
        }
        // One that is none at all is told of first.
        _ => from.flags(h).and(to.flags(h)).and(Err(Errno::EXDEV)),
    }
}
