//! Descriptors by their names: `/dev/fd/N`, `/proc/self/fd/N`, `/dev/stdin` and its siblings.
//!
//! The host would find a socket there: open(2) would answer `ENXIO`, and chmod(2), which is how glibc changes the mode
//! of a file that it must not follow links to (fchmodat(3), `AT_SYMLINK_NOFOLLOW`), would change the socket's. An
//! opening program gets a copy of the descriptor, which shares its position, where Linux would open the file anew.

use super::{Answer, Call, Verdict, mounts, row_of};
use crate::Hijack;
use crate::config::decimal;
use crate::fds::{Entry, Kind};
use crate::owner::Owner;
use crate::world::World;
use abi::nr;
use abi::raw::general::{AT_EMPTY_PATH, F_DUPFD, F_DUPFD_CLOEXEC, O_CLOEXEC, O_TRUNC};

/// The longest of the names, with a number of ten digits.
const NAME_MAX: usize = 32;

pub(super) fn open<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if let Some(verdict) = mounts::open(h, call.args[0], call.args[1]) {
        return verdict;
    }
    let verdict = h.by_path((row_of(call.nr)?, call), 0);
    if verdict == Ok(Answer::Host) { by_name(h, call.args[0], call.args[1]) } else { verdict }
}

pub(super) fn openat<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if let Some(verdict) = mounts::open(h, call.args[1], call.args[2]) {
        return verdict;
    }
    let verdict = h.at((row_of(call.nr)?, call), 0, 1);
    if verdict == Ok(Answer::Host) { by_name(h, call.args[1], call.args[2]) } else { verdict }
}

pub(super) fn chmod<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let verdict = h.by_path((row_of(call.nr)?, call), 0);
    match named(h, call.args[0]) {
        Some(fd) if verdict == Ok(Answer::Host) => change_mode(h, fd, call.args[1]),
        _ => verdict,
    }
}

fn by_name<W: World>(h: &Hijack<W>, path: u64, flags: u64) -> Verdict {
    named(h, path).map_or(Ok(Answer::Host), |fd| copy(h, fd, flags))
}

/// The number that a path of the host's is the name of, if something is there that is not the host's.
pub(super) fn named<W: World>(h: &Hijack<W>, path: u64) -> Option<u32> {
    let mut name = [0; NAME_MAX];
    if !h.fds.any_rump() {
        return None;
    }
    let length = h.world.read_str(path, &mut name).ok()?;
    name.get(..length).and_then(number).filter(|&fd| h.fds.get(fd) != Entry::Host)
}

fn change_mode<W: World>(h: &Hijack<W>, fd: u32, mode: u64) -> Verdict {
    let Owner::Rump(rump) = h.owner(fd.into())? else { return Ok(Answer::Host) };
    let (empty, flags) = (c"".as_ptr() as u64, u64::from(AT_EMPTY_PATH));
    let args = [rump.kernel_fd.0.into(), empty, mode, flags, 0, 0];
    h.rump(row_of(nr::FCHMODAT2)?, args).map(Answer::Value)
}

fn number(name: &[u8]) -> Option<u32> {
    match name {
        b"/dev/stdin" => Some(0),
        b"/dev/stdout" => Some(1),
        b"/dev/stderr" => Some(2),
        _ => {
            let directories = [b"/dev/fd/".as_slice(), b"/proc/self/fd/", b"/proc/thread-self/fd/"];
            directories.iter().find_map(|directory| name.strip_prefix(*directory)).and_then(decimal)
        }
    }
}

fn copy<W: World>(h: &Hijack<W>, fd: u32, flags: u64) -> Verdict {
    let Owner::Rump(rump) = h.owner(fd.into())? else { return Ok(Answer::Host) };
    if rump.kind == Kind::Socket {
        // The host's ENXIO is right: sockets cannot be opened.
        return Ok(Answer::Host);
    }
    let flags = flags as u32;
    if flags & O_TRUNC != 0 && rump.kind == Kind::Regular {
        h.rump_on(row_of(nr::FTRUNCATE)?, [rump.kernel_fd.0.into(), 0, 0, 0, 0, 0], (fd, rump))?;
    }
    let command = if flags & O_CLOEXEC == 0 { F_DUPFD } else { F_DUPFD_CLOEXEC };
    let number = h.world.host(nr::FCNTL, [fd.into(), command.into(), 0, 0, 0, 0])?;
    h.learn(number as u32, Entry::Rump(rump));
    Ok(Answer::Value(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_descriptors() {
        assert_eq!(number(b"/dev/fd/130"), Some(130));
        assert_eq!(number(b"/proc/self/fd/7"), Some(7));
        assert_eq!(number(b"/dev/stdout"), Some(1));
        for other in [b"/dev/fd/".as_slice(), b"/dev/fd/x", b"/dev/fd/1/x", b"/dev/stdinx", b"/proc/1/fd/7"] {
            assert_eq!(number(other), None);
        }
    }
}
