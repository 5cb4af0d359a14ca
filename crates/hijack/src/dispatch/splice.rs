//! splice(2) and its siblings where a rump descriptor takes part: the bytes are copied.
//!
//! None may get lost where they can be read but not written: what is read is left at its source (a file's position,
//! `MSG_PEEK`, tee(2) of a host pipe) until it is known how much went out. The host's part is done by its own splice(2), out of
//! or into a pipe of ours, so that offsets, waiting and errors are the host's.

use super::transfer::End;
use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::fds::Kind;
use crate::owner::Owner;
use crate::world::{Outcome, World};
use abi::layout::Stat;
use abi::raw::general::{O_CLOEXEC, SEEK_CUR, SPLICE_F_NONBLOCK};
use abi::raw::net::MSG_PEEK;
use abi::{Errno, nr};
use alloc::vec;

/// What goes through our pipe at once: as much as a pipe holds (pipe(7)).
const PIECE: u64 = 64 << 10;

/// linux/stat.h
const S_IFMT: u32 = 0o170000;
/// linux/stat.h
const S_IFIFO: u32 = 0o010000;

pub(super) fn splice<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [from, from_offset, to, to_offset, length, flags] = call.args;
    let (from, to) = (End::new(h, from)?, End::new(h, to)?);
    if from.owner == Owner::Host && to.owner == Owner::Host {
        return Ok(Answer::Host);
    }
    let (source, target) = (Side::new(h, from, from_offset)?, Side::new(h, to, to_offset)?);
    if !source.is_pipe && !target.is_pipe {
        // splice(2), EINVAL: "neither of the descriptors refers to a pipe".
        return Err(Errno::EINVAL);
    }
    Splice { h, source, target, ours: Pipe::new(h)?, length, flags }.run().map(Answer::Value)
}

/// tee(2) leaves a pipe's bytes where they are, which no call of a fifo in the rump kernel does: "target filesystem doesn't
/// support splicing".
pub(super) fn tee<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match (h.owner(call.args[0])?, h.owner(call.args[1])?) {
        (Owner::Host, Owner::Host) => Ok(Answer::Host),
        _ => Err(Errno::EINVAL),
    }
}

/// vmsplice(2): a writev(2) into a rump pipe, a readv(2) out of one.
pub(super) fn vmsplice<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [fd, vector, count, ..] = call.args;
    let end = End::new(h, fd)?;
    if end.owner == Owner::Host {
        return Ok(Answer::Host);
    }
    let outcome = match end.call(h, nr::WRITEV, [vector, count, 0]) {
        // Not open for writing.
        Err(Errno::EBADF) => end.call(h, nr::READV, [vector, count, 0]),
        outcome => outcome,
    };
    outcome.map(Answer::Value)
}

/// A pipe of ours.
struct Pipe<'h, W: World> {
    h: &'h Hijack<W>,
    reader: u64,
    writer: u64,
}

impl<'h, W: World> Pipe<'h, W> {
    fn new(h: &'h Hijack<W>) -> Result<Self, Errno> {
        let mut ends = [0_u32; 2];
        h.world.host(nr::PIPE2, [(&raw mut ends) as u64, O_CLOEXEC.into(), 0, 0, 0, 0])?;
        Ok(Self { h, reader: ends[0].into(), writer: ends[1].into() })
    }

    /// Takes out what is in it, which is known to fit.
    fn take(&self, into: &mut [u8]) -> Outcome {
        let args = [self.reader, into.as_mut_ptr() as u64, into.len() as u64, 0, 0, 0];
        self.h.world.host(nr::READ, args)
    }

    /// Puts in what is known to fit.
    fn put(&self, bytes: &[u8]) -> Outcome {
        self.h.world.host(nr::WRITE, [self.writer, bytes.as_ptr() as u64, bytes.len() as u64, 0, 0, 0])
    }
}

impl<W: World> Drop for Pipe<'_, W> {
    fn drop(&mut self) {
        self.h.close_quietly(self.reader as u32);
        self.h.close_quietly(self.writer as u32);
    }
}

/// How bytes are read without being taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A host pipe, by tee(2).
    Tee,
    /// Anything else of the host's: splice(2) takes them into our pipe.
    Take,
    /// A file of the rump kernel, from this position.
    At(u64),
    /// A socket of the rump kernel.
    Peek,
    /// What cannot be looked at without being taken: a fifo or a device of the rump kernel.
    Read,
}

struct Side {
    end: End,
    is_pipe: bool,
    /// Where the program's offset is; 0: none.
    offset_at: u64,
}

impl Side {
    fn new<W: World>(h: &Hijack<W>, end: End, offset_at: u64) -> Result<Self, Errno> {
        let is_pipe = match end.owner {
            Owner::Rump(rump) => rump.kind == Kind::Pipe,
            Owner::Host => {
                let mut stat = Stat::default();
                end.call(h, nr::FSTAT, [(&raw mut stat) as u64, 0, 0])?;
                stat.st_mode & S_IFMT == S_IFIFO
            }
        };
        let seeks =
            matches!(end.owner, Owner::Host | Owner::Rump(crate::fds::RumpFd { kind: Kind::Regular, .. }));
        // fs/splice.c, do_splice
        match offset_at {
            0 => {}
            _ if is_pipe => return Err(Errno::ESPIPE),
            _ if !seeks => return Err(Errno::EINVAL),
            _ => {}
        }
        Ok(Self { end, is_pipe, offset_at })
    }

    fn is_rumps(&self) -> bool {
        self.end.owner != Owner::Host
    }

    fn offset<W: World>(&self, h: &Hijack<W>) -> Outcome {
        if self.offset_at == 0 {
            return self.end.call(h, nr::LSEEK, [0, SEEK_CUR.into(), 0]);
        }
        let mut offset = [0; 8];
        h.world.read(self.offset_at, &mut offset)?;
        Ok(u64::from_ne_bytes(offset))
    }

    /// Moves the program's offset, or the file's position.
    fn advance<W: World>(&self, h: &Hijack<W>, by: u64) -> Result<(), Errno> {
        if self.offset_at == 0 {
            return self.end.call(h, nr::LSEEK, [by, SEEK_CUR.into(), 0]).map(drop);
        }
        let end = self.offset(h)?.wrapping_add(by);
        h.world.write(self.offset_at, &end.to_ne_bytes())
    }
}

struct Splice<'h, W: World> {
    h: &'h Hijack<W>,
    source: Side,
    target: Side,
    ours: Pipe<'h, W>,
    length: u64,
    flags: u64,
}

impl<W: World> Splice<'_, W> {
    /// Moves what is there, up to `length`; waits for the first bytes only.
    fn run(&self) -> Outcome {
        let way = self.way()?;
        let mut bytes = vec![0; PIECE.min(self.length) as usize];
        let mut moved = 0;
        while moved < self.length {
            let want = PIECE.min(self.length - moved);
            let Some(room) = bytes.get_mut(..want as usize) else { break };
            match self.step(way, room, moved > 0) {
                Ok((got, gone)) => {
                    moved += gone;
                    // A pipe may hold more than goes through ours at once.
                    if gone < got || got < want || way != Way::Tee {
                        break;
                    }
                }
                Err(errno) if moved == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(moved)
    }

    fn way(&self) -> Result<Way, Errno> {
        match self.source.end.owner {
            Owner::Host if self.source.is_pipe => Ok(Way::Tee),
            Owner::Host => Ok(Way::Take),
            Owner::Rump(rump) => match rump.kind {
                Kind::Regular => self.source.offset(self.h).map(Way::At),
                Kind::Socket | Kind::Packet | Kind::Netlink => Ok(Way::Peek),
                Kind::Directory | Kind::Path => Err(Errno::EINVAL),
                Kind::Device | Kind::Pipe | Kind::Other => Ok(Way::Read),
            },
        }
    }

    /// Reads and writes once: how many bytes were there, and how many are gone.
    fn step(&self, way: Way, room: &mut [u8], again: bool) -> Result<(u64, u64), Errno> {
        let got = self.look(way, room, again)?;
        let Some(bytes) = room.get(..got as usize).filter(|bytes| !bytes.is_empty()) else {
            return Ok((0, 0));
        };
        let gone = match way {
            Way::Take | Way::Read => self.write_all(bytes)?,
            Way::Tee | Way::At(_) | Way::Peek => self.write(bytes)?,
        };
        self.consume(way, room, gone)?;
        Ok((got, gone))
    }

    fn look(&self, way: Way, room: &mut [u8], again: bool) -> Outcome {
        let (h, from, want) = (self.h, &self.source.end, room.len() as u64);
        let flags = if again { self.flags | u64::from(SPLICE_F_NONBLOCK) } else { self.flags };
        let address = room.as_mut_ptr() as u64;
        match way {
            Way::At(at) => from.call(h, nr::PREAD64, [address, want, at]),
            Way::Peek => from.call(h, nr::RECVFROM, [address, want, MSG_PEEK.into()]),
            Way::Read => from.call(h, nr::READ, [address, want, 0]),
            Way::Tee => self.fetch(nr::TEE, [from.fd(), self.ours.writer, want, flags, 0, 0], room),
            Way::Take => {
                let args = [from.fd(), self.source.offset_at, self.ours.writer, 0, want, flags];
                self.fetch(nr::SPLICE, args, room)
            }
        }
    }

    /// A call that fills our pipe, and what it has put there.
    fn fetch(&self, number: u32, args: crate::world::Args, room: &mut [u8]) -> Outcome {
        let got = self.h.world.host_waiting(number, args)?;
        if got == 0 { Ok(0) } else { self.ours.take(room.get_mut(..got as usize).unwrap_or_default()) }
    }

    fn write(&self, bytes: &[u8]) -> Outcome {
        let (h, to) = (self.h, &self.target);
        let (address, count) = (bytes.as_ptr() as u64, bytes.len() as u64);
        if !to.is_rumps() {
            self.ours.put(bytes)?;
            let args = [self.ours.reader, 0, to.end.fd(), to.offset_at, count, self.flags];
            return h.world.host_waiting(nr::SPLICE, args);
        }
        if to.offset_at == 0 {
            return to.end.call(h, nr::WRITE, [address, count, 0]);
        }
        let gone = to.end.call(h, nr::PWRITE64, [address, count, to.offset(h)?])?;
        to.advance(h, gone).map(|()| gone)
    }

    /// Writes bytes that cannot be left where they were.
    fn write_all(&self, mut bytes: &[u8]) -> Outcome {
        let count = bytes.len() as u64;
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(gone) => bytes = bytes.get(gone as usize..).unwrap_or_default(),
                Err(_) if (bytes.len() as u64) < count => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(count - bytes.len() as u64)
    }

    /// Takes at the source what has gone out.
    fn consume(&self, way: Way, room: &mut [u8], gone: u64) -> Result<(), Errno> {
        if gone == 0 {
            return Ok(());
        }
        let (h, from, address) = (self.h, &self.source.end, room.as_mut_ptr() as u64);
        match way {
            Way::At(_) => self.source.advance(h, gone),
            Way::Tee => from.call(h, nr::READ, [address, gone, 0]).map(drop),
            Way::Peek => from.call(h, nr::RECVFROM, [address, gone, 0]).map(drop),
            Way::Take | Way::Read => Ok(()),
        }
    }
}
