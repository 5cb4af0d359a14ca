//! fcntl(2) and ioctl(2): what concerns the number is the host's, what concerns the file its kernel's.
//!
//! Who gets SIGIO is both's: the host sends it when the readiness of the file's host descriptor changes, to the thread, process or
//! group that it has been told, also while the program makes no call of the rump kernel.

use super::{Answer, Call, Verdict, dup, interfaces, poll, row_of, unlock};
use crate::Hijack;
use crate::fds::{Entry, Kind, RumpFd};
use crate::owner::Owner;
use crate::world::World;
use abi::raw::general::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_GETOWN, F_GETOWN_EX, F_GETSIG, F_SETFD, F_SETFL, F_SETOWN,
    F_SETOWN_EX, F_SETSIG, FASYNC,
};
use abi::raw::ioctl::{FIOASYNC, FIOCLEX, FIOGETOWN, FIONCLEX, FIOSETOWN, SIOCGPGRP, SIOCSPGRP};
use abi::{Errno, nr};

pub(super) fn fcntl<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let entry = h.entry(call.args[0] as u32);
    match call.args[1] as u32 {
        F_DUPFD | F_DUPFD_CLOEXEC => dup::copy(h, call, entry),
        F_GETFD | F_SETFD => number_only(entry),
        F_SETOWN | F_SETOWN_EX | F_GETOWN | F_GETOWN_EX | F_SETSIG | F_GETSIG => owner(h, call),
        command => {
            let answer = h.by_fd((row_of(call.nr)?, call), 0)?;
            if answer != Answer::Host {
                unlock::note(h, call);
                if command == F_SETFL {
                    signals(h, call.args[0], call.args[2] as u32 & FASYNC != 0)?;
                }
            }
            Ok(answer)
        }
    }
}

pub(super) fn ioctl<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match call.args[1] as u32 {
        FIOCLEX | FIONCLEX => number_only(h.entry(call.args[0] as u32)),
        FIOSETOWN | SIOCSPGRP | FIOGETOWN | SIOCGPGRP => owner(h, call),
        command => {
            let answer = h.by_fd((row_of(call.nr)?, call), 0)?;
            if answer == Answer::Host && interfaces::concerns(command) {
                return interfaces::ioctl(h, call);
            }
            if answer != Answer::Host && command == FIOASYNC {
                let mut on = [0; 4];
                h.world.read(call.args[2], &mut on)?;
                signals(h, call.args[0], on != [0; 4])?;
            }
            Ok(answer)
        }
    }
}

fn number_only(entry: Entry) -> Verdict {
    if entry == Entry::Own { Err(Errno::EBADF) } else { Ok(Answer::Host) }
}

/// Who gets signals, and which. What is asked the host knows best; the rump kernel is told whom to send SIGURG.
fn owner<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let Owner::Rump(rump) = h.owner(call.args[0])? else { return Ok(Answer::Host) };
    let is_ioctl = call.nr == nr::IOCTL;
    if rump.kind == Kind::Path || is_ioctl && !rump.kind.is_socket() {
        return h.by_fd((row_of(call.nr)?, call), 0);
    }
    let value = h.world.host(call.nr, call.args)?;
    let sets = if is_ioctl { matches!(call.args[1] as u32, FIOSETOWN | SIOCSPGRP) } else { is_set(call) };
    if sets {
        h.by_fd((row_of(call.nr)?, call), 0)?;
    }
    Ok(Answer::Value(value))
}

fn is_set(call: &Call) -> bool {
    matches!(call.args[1] as u32, F_SETOWN | F_SETOWN_EX)
}

/// Has the host send SIGIO, or no more.
fn signals<W: World>(h: &Hijack<W>, fd: u64, on: bool) -> Result<(), Errno> {
    let Owner::Rump(rump) = h.owner(fd)? else { return Ok(()) };
    if !can_signal(rump) {
        return Ok(());
    }
    let before = h.world.host(nr::FCNTL, [fd, F_GETFL.into(), 0, 0, 0, 0])?;
    if (before as u32 & FASYNC != 0) == on {
        return Ok(());
    }
    if on {
        // First: what there is already is no news.
        poll::watch(h, fd as u32, rump, false)?;
    }
    let flags = before & !u64::from(FASYNC) | if on { u64::from(FASYNC) } else { 0 };
    h.world.host(nr::FCNTL, [fd, F_SETFL.into(), flags, 0, 0, 0]).map(drop)
}

/// Regular files and directories are always ready (fcntl(2), F_SETFL: terminals, pipes, fifos and sockets signal).
fn can_signal(rump: RumpFd) -> bool {
    rump.kind.is_socket() || rump.kind == Kind::Pipe
}
