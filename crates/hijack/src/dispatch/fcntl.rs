//! fcntl(2) and ioctl(2): what concerns the number is the host's, what concerns the file its kernel's.

use super::{Answer, Call, Verdict, dup, row_of, unlock};
use crate::Hijack;
use crate::fds::Entry;
use crate::world::World;
use abi::Errno;
use abi::raw::general::{F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD};

/// asm-generic/ioctls.h
const FIONCLEX: u32 = 0x5450;
/// asm-generic/ioctls.h
const FIOCLEX: u32 = 0x5451;

pub(super) fn fcntl<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let entry = h.fds.get(call.args[0] as u32);
    match call.args[1] as u32 {
        F_DUPFD | F_DUPFD_CLOEXEC => dup::copy(h, call, entry),
        F_GETFD | F_SETFD => number_only(entry),
        _ => {
            let answer = h.by_fd((row_of(call.nr)?, call), 0)?;
            if answer != Answer::Host {
                unlock::note(h, call);
            }
            Ok(answer)
        }
    }
}

pub(super) fn ioctl<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match call.args[1] as u32 {
        FIOCLEX | FIONCLEX => number_only(h.fds.get(call.args[0] as u32)),
        _ => h.by_fd((row_of(call.nr)?, call), 0),
    }
}

fn number_only(entry: Entry) -> Verdict {
    if entry == Entry::Own { Err(Errno::EBADF) } else { Ok(Answer::Host) }
}
