//! inotify_add_watch(2): the host's inotify sees no file of the rump kernel.
//!
//! Programs make the descriptor before they say what it is to watch. So it is the host's until the first file of the rump kernel is
//! to be watched with it: then one of the rump kernel's takes its place, with its flags and in the epoll sets that it is in. With one
//! descriptor files of both kernels cannot be watched.

use super::{Answer, Call, Verdict, close, dup, epoll, row_of, with};
use crate::Hijack;
use crate::owner::Owner;
use crate::text::Text;
use crate::world::World;
use abi::raw::general::{
    EPOLL_CTL_ADD, F_GETFD, F_GETFL, FD_CLOEXEC, IN_CLOEXEC, IN_NONBLOCK, O_CLOEXEC, O_NONBLOCK, O_RDONLY,
};
use abi::{Errno, nr, private};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// More descriptors than this are not searched for epoll sets.
const SEARCHED: u64 = 4096;

/// A descriptor's place in an epoll set, and `struct epoll_event` as it was given.
struct Place {
    set: u64,
    event: [u8; 12],
}

pub(super) fn inotify_add_watch<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [fd, path, ..] = call.args;
    let place = h.path_at(None, path)?;
    let owner = h.owner(fd)?;
    // inotify(7): the limit on watches is reached; programs fall back to polling.
    let refused = Err(Errno::ENOSPC);
    let rump = match (owner, &place) {
        (Owner::Host, None) => return Ok(Answer::Host),
        (Owner::Rump(_), None) => return refused,
        (Owner::Rump(rump), Some(_)) => rump,
        (Owner::Host, Some(_)) => {
            let about = h.about(fd);
            match about.as_deref() {
                Some(about) if holds(about, b"inotify wd:") => return refused,
                // Whatever it is, the host says that it is none.
                Some(_) if !h.is_inotify(fd) => return Ok(Answer::Host),
                None => return Ok(Answer::Host),
                Some(_) => {}
            }
            replace(h, fd)?;
            match h.owner(fd)? {
                Owner::Rump(rump) => rump,
                Owner::Host => return refused,
            }
        }
    };
    let address = place.as_ref().map_or(path, |(_, told)| told.address());
    let args = with(with(call.args, 0, rump.kernel_fd.0.into()), 1, address);
    h.rump(row_of(call.nr)?, args).map(Answer::Value)
}

/// Puts an instance of the rump kernel's in the place of one of the host's that watches nothing.
fn replace<W: World>(h: &Hijack<W>, fd: u64) -> Result<(), Errno> {
    let places = places(h, fd);
    let status = h.world.host(nr::FCNTL, [fd, F_GETFL.into(), 0, 0, 0, 0])?;
    let cloexec = h.world.host(nr::FCNTL, [fd, F_GETFD.into(), 0, 0, 0, 0])? & u64::from(FD_CLOEXEC) != 0;
    let nonblock = if status & u64::from(O_NONBLOCK) == 0 { 0 } else { IN_NONBLOCK };
    let new = h.rump(row_of(private::INOTIFY)?, [u64::from(IN_CLOEXEC | nonblock), 0, 0, 0, 0, 0])?;
    let flags = if cloexec { O_CLOEXEC } else { 0 };
    let moved = dup::dup3(h, &Call { nr: nr::DUP3, args: [new, fd, flags.into(), 0, 0, 0] });
    let closing = Call { nr: nr::CLOSE, args: [new, 0, 0, 0, 0, 0] };
    if close::close(h, &closing) == Ok(Answer::Host) {
        h.close_quietly(new as u32);
    }
    moved?;
    for place in places {
        let args = [place.set, EPOLL_CTL_ADD.into(), fd, place.event.as_ptr() as u64, 0, 0];
        if epoll::epoll_ctl(h, &Call { nr: nr::EPOLL_CTL, args })? == Answer::Host {
            h.world.host(nr::EPOLL_CTL, args)?;
        }
    }
    Ok(())
}

/// The epoll sets in which a descriptor is, as far as they are this process's.
fn places<W: World>(h: &Hijack<W>, fd: u64) -> Vec<Place> {
    let mut places = Vec::new();
    for set in 0..SEARCHED {
        // Sets are told apart by what only they tell of themselves.
        if h.world.host(nr::FCNTL, [set, F_GETFD.into(), 0, 0, 0, 0]).is_ok()
            && let Some(about) = h.about(set)
        {
            places.extend(about.split(|byte| *byte == b'\n').filter_map(|line| place_in(line, fd, set)));
        }
    }
    places
}

/// What a line of an epoll set's fdinfo says of this descriptor: `tfd:        5 events:       19 data:                5 ...`
/// (proc_pid_fdinfo(5)).
fn place_in(line: &[u8], fd: u64, set: u64) -> Option<Place> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let mut field = |name: &[u8], radix| {
        let is_it = words.next() == Some(name);
        let number = words.next().and_then(|word| core::str::from_utf8(word).ok());
        number.filter(|_| is_it).and_then(|number| u64::from_str_radix(number, radix).ok())
    };
    let (number, events, data) = (field(b"tfd:", 10)?, field(b"events:", 16)?, field(b"data:", 16)?);
    let mut event = [0; 12];
    let (first, second) = event.split_at_mut(4);
    first.copy_from_slice(&(events as u32).to_ne_bytes());
    second.copy_from_slice(&data.to_ne_bytes());
    (number == fd).then_some(Place { set, event })
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

impl<W: World> Hijack<W> {
    /// What the host tells of a descriptor (proc_pid_fdinfo(5)), as far as it fits.
    fn about(&self, fd: u64) -> Option<Vec<u8>> {
        let mut path = Text::default();
        write!(path, "/proc/self/fdinfo/{fd}\0").ok()?;
        let args = [path.as_bytes().as_ptr() as u64, u64::from(O_RDONLY | O_CLOEXEC), 0, 0, 0, 0];
        let file = self.world.host(nr::OPEN, args).ok()?;
        let mut text = vec![0; 4096];
        let length = self.world.host(nr::READ, [file, text.as_mut_ptr() as u64, text.len() as u64, 0, 0, 0]);
        self.close_quietly(file as u32);
        text.truncate(usize::try_from(length.ok()?).ok()?);
        Some(text)
    }

    fn is_inotify(&self, fd: u64) -> bool {
        let mut path = Text::default();
        if write!(path, "/proc/self/fd/{fd}\0").is_err() {
            return false;
        }
        let mut target = [0; 64];
        let args =
            [path.as_bytes().as_ptr() as u64, target.as_mut_ptr() as u64, target.len() as u64, 0, 0, 0];
        let length = self.world.host(nr::READLINK, args).ok().and_then(|length| usize::try_from(length).ok());
        length.and_then(|length| target.get(..length)) == Some(b"anon_inode:inotify")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_epoll_sets() {
        let line = b"tfd:        5 events:       19 data: 7f0000000005  pos:0 ino:4be sdev:10";
        let place = place_in(line, 5, 4).expect("a place");
        assert_eq!(place.set, 4);
        assert_eq!(place.event, [0x19, 0, 0, 0, 5, 0, 0, 0, 0, 0x7f, 0, 0]);
        assert!(place_in(line, 6, 4).is_none());
        for other in [b"pos:\t0".as_slice(), b"tfd:", b"tfd: x events: 1 data: 2", b""] {
            assert!(place_in(other, 5, 4).is_none());
        }
    }
}
