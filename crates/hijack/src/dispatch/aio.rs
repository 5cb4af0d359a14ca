//! io_submit(2). A block on a rump descriptor is carried out at once, as the host does where an operation cannot go on by itself;
//! then the host is given one in its place that comes to the same, so that the outcome is in the context's ring, and its eventfd told.

use super::{Answer, Call, Verdict, poll};
use crate::Hijack;
use crate::fds::{Entry, RumpFd};
use crate::owner::Owner;
use crate::world::{Outcome, World};
use abi::layout::Iovec;
use abi::raw::general::{O_CLOEXEC, O_NONBLOCK, O_WRONLY, POLLPRI};
use abi::{Errno, nr};
use core::ffi::CStr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// More are never taken at once (io_setup(2), /proc/sys/fs/aio-max-nr).
const COUNT_MAX: u64 = 1 << 16;

/// `struct iocb` (linux/aio_abi.h).
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Iocb {
    data: u64,
    /// The host's.
    key: u32,
    rw_flags: u32,
    opcode: u16,
    reqprio: i16,
    fildes: u32,
    buf: u64,
    nbytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    resfd: u32,
}

/// `IOCB_CMD_*` (linux/aio_abi.h).
mod command {
    pub(super) const PREAD: u16 = 0;
    pub(super) const PWRITE: u16 = 1;
    pub(super) const FSYNC: u16 = 2;
    pub(super) const FDSYNC: u16 = 3;
    pub(super) const POLL: u16 = 5;
    pub(super) const PREADV: u16 = 7;
    pub(super) const PWRITEV: u16 = 8;
}

/// io_submit(2): "the number of iocbs submitted (which may be less than nr)"; an error only if the first was not.
pub(super) fn io_submit<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [context, count, array, ..] = call.args;
    // Negative: the host's EINVAL. What cannot be read is the host's EFAULT.
    let count = if count.cast_signed() < 0 { 0 } else { count.min(COUNT_MAX) };
    if until_rumps(h, array, 0, count) == count {
        return Ok(Answer::Host);
    }
    // "EINVAL: The AIO context specified by ctx_id is invalid": before anything is done.
    submit(h, context, 0, array)?;
    let mut done = 0;
    while done < count {
        let at = array.wrapping_add(done * 8);
        let submitted = match until_rumps(h, array, done, count) {
            until if until > done => submit(h, context, until - done, at),
            _ => one(h, context, at),
        };
        match submitted {
            Ok(more) if more > 0 => done += more,
            Err(errno) if done == 0 => return Err(errno),
            Ok(_) | Err(_) => break,
        }
    }
    Ok(Answer::Value(done))
}

fn submit<W: World>(h: &Hijack<W>, context: u64, count: u64, array: u64) -> Outcome {
    h.world.host(nr::IO_SUBMIT, [context, count, array, 0, 0, 0])
}

/// The first block from `start` on that is on a rump descriptor, or `count`.
fn until_rumps<W: World>(h: &Hijack<W>, array: u64, start: u64, count: u64) -> u64 {
    let is_rumps =
        |at: &u64| block(h, array.wrapping_add(at * 8)).is_ok_and(|(_, block)| is_rumps(h, &block));
    (start..count).find(is_rumps).unwrap_or(count)
}

fn is_rumps<W: World>(h: &Hijack<W>, block: &Iocb) -> bool {
    h.fds.get(block.fildes) != Entry::Host && !matches!(h.owner(block.fildes.into()), Ok(Owner::Host))
}

/// The block that an element of the array points to, and where it is.
fn block<W: World>(h: &Hijack<W>, at: u64) -> Result<(u64, Iocb), Errno> {
    let (mut pointer, mut block) = (0_u64, Iocb::default());
    h.world.read(at, pointer.as_mut_bytes())?;
    h.world.read(pointer, block.as_mut_bytes())?;
    Ok((pointer, block))
}

/// Submits the block of a rump descriptor; the number of blocks, 1.
///
/// # Errors
/// Those of io_submit(2), and what there is no event for.
fn one<W: World>(h: &Hijack<W>, context: u64, at: u64) -> Outcome {
    let (pointer, block) = block(h, at)?;
    if block.reserved != 0 || block.nbytes.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let Owner::Rump(rump) = h.owner(block.fildes.into())? else { return Err(Errno::EBADF) };
    if block.opcode == command::POLL {
        return watch(h, &block, rump).and_then(|()| submit(h, context, 1, at));
    }
    let null = open(h, c"/dev/null")?;
    let submitted = Substitute::of(h, null, carry_out(h, &block)).and_then(|substitute| {
        h.world.write(pointer, substitute.block(block).as_bytes())?;
        let submitted = submit(h, context, 1, at);
        h.world.write(pointer, Iocb { key: 0, ..block }.as_bytes())?;
        if substitute.fd != null {
            h.close_quietly(substitute.fd);
        }
        submitted
    });
    h.close_quietly(null);
    submitted
}

/// The host polls what stands for the rump file.
fn watch<W: World>(h: &Hijack<W>, block: &Iocb, rump: RumpFd) -> Result<(), Errno> {
    let urgent = block.buf & u64::from(POLLPRI) != 0;
    poll::watch(h, block.fildes, rump, urgent).map(drop)
}

/// What the block asks for.
fn carry_out<W: World>(h: &Hijack<W>, block: &Iocb) -> Outcome {
    let plain = Iovec { iov_base: block.buf, iov_len: block.nbytes };
    let one = ((&raw const plain) as u64, 1);
    let several = (block.buf, block.nbytes);
    match block.opcode {
        command::PREAD => transfer(h, nr::PREADV2, block, one),
        command::PREADV => transfer(h, nr::PREADV2, block, several),
        command::PWRITE => transfer(h, nr::PWRITEV2, block, one),
        command::PWRITEV => transfer(h, nr::PWRITEV2, block, several),
        command::FSYNC => synchronize(h, nr::FSYNC, block),
        command::FDSYNC => synchronize(h, nr::FDATASYNC, block),
        _ => Err(Errno::EINVAL),
    }
}

fn transfer<W: World>(h: &Hijack<W>, number: u32, block: &Iocb, (vector, count): (u64, u64)) -> Outcome {
    if block.offset < 0 {
        return Err(Errno::EINVAL);
    }
    let from =
        |offset: i64| [block.fildes.into(), vector, count, offset.cast_unsigned(), 0, block.rw_flags.into()];
    match call(h, number, from(block.offset)) {
        // What has no positions is read and written all the same: preadv2(2), "if offset is -1".
        Err(Errno::ESPIPE) => call(h, number, from(-1)),
        // "The file descriptor ... is not appropriate for the operation" (io_submit(2)).
        Err(Errno::EISDIR) => Err(Errno::EINVAL),
        outcome => outcome,
    }
}

fn synchronize<W: World>(h: &Hijack<W>, number: u32, block: &Iocb) -> Outcome {
    if block.buf != 0 || block.offset != 0 || block.nbytes != 0 || block.rw_flags != 0 {
        return Err(Errno::EINVAL);
    }
    call(h, number, [block.fildes.into(), 0, 0, 0, 0, 0])
}

fn call<W: World>(h: &Hijack<W>, number: u32, args: [u64; 6]) -> Outcome {
    match h.dispatch(&Call { nr: number, args })? {
        Answer::Value(value) => Ok(value),
        // Another thread has closed it meanwhile.
        Answer::Host => Err(Errno::EBADF),
    }
}

/// What the host does at once, with a known outcome.
struct Substitute {
    fd: u32,
    opcode: u16,
    nbytes: u64,
}

impl Substitute {
    /// What comes to `outcome`; `null` is /dev/null.
    ///
    /// # Errors
    /// The outcome itself, if nothing comes to it.
    fn of<W: World>(h: &Hijack<W>, null: u32, outcome: Outcome) -> Result<Self, Errno> {
        let write = |fd, nbytes| Self { fd, opcode: command::PWRITE, nbytes };
        match outcome {
            Ok(value) => Ok(write(null, value)),
            Err(Errno::ENOSPC) => open(h, c"/dev/full").map(|full| write(full, 1)),
            // io_submit(2)'s own EAGAIN means another thing: "Insufficient resources".
            Err(Errno::EAGAIN) => {
                // `EFD_CLOEXEC` and `EFD_NONBLOCK` (sys/eventfd.h) are these.
                let flags = u64::from(O_CLOEXEC | O_NONBLOCK);
                let empty = h.world.host(nr::EVENTFD2, [0, flags, 0, 0, 0, 0])?;
                Ok(Self { fd: empty as u32, opcode: command::PREAD, nbytes: 8 })
            }
            Err(errno) => Err(errno),
        }
    }

    /// As a block with the labels of `original`.
    const fn block(&self, original: Iocb) -> Iocb {
        let Self { fd: fildes, opcode, nbytes } = *self;
        Iocb { fildes, opcode, nbytes, rw_flags: 0, offset: 0, ..original }
    }
}

fn open<W: World>(h: &Hijack<W>, device: &CStr) -> Result<u32, Errno> {
    let flags = u64::from(O_WRONLY | O_CLOEXEC);
    h.world.host(nr::OPEN, [device.as_ptr() as u64, flags, 0, 0, 0, 0]).map(|fd| fd as u32)
}
