//! The names in /proc that lead to what is the rump kernel's: `/proc/PID/fd/N` and `/proc/PID/fdinfo/N` by all their names, of this
//! process and of others, and `/proc/self/cwd` (proc_pid_fd(5), proc_pid_fdinfo(5), proc_pid_cwd(5)).
//!
//! The host would find a socket of its own there. The rump kernel has the same names in its own /proc, by its own numbers:
//! that is what it is told.

use super::route::Told;
use super::{Answer, Call, Verdict, getdents, row_of, with};
use crate::config::decimal;
use crate::fds::Entry;
use crate::owner::Owner;
use crate::world::World;
use crate::{Hijack, path};
use abi::raw::general::{F_GETFD, F_SETFD};
use abi::{Errno, nr};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// `PATH_MAX` of linux/limits.h.
const PATH_MAX: usize = 4096;

/// The longest first name of a path in /proc that may lead to a descriptor, and what tells that it ends.
const FIRST_MAX: usize = 16;

/// A number that no descriptor has.
const NO_FD: u32 = i32::MAX.cast_unsigned();

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Fd(u32),
    /// The file about a descriptor.
    Info(u32),
    Cwd,
}

/// Whose link it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    This,
    /// To be compared with our own number.
    Numbered(u32),
}

impl<W: World> Hijack<W> {
    /// What the rump kernel is told of a path of the host's that leads to it through such a link; `start` are its first bytes.
    pub(super) fn through_link(&self, start: &[u8], address: u64) -> Option<Told> {
        let is_possible = may_be_anothers(start)
            || (self.fds.any_rump() || self.cwd_in_rump())
                && [b"/proc/".as_slice(), b"/dev/fd/", b"/dev/std"]
                    .iter()
                    .any(|name| start.starts_with(name));
        if !is_possible {
            return None;
        }
        let path = self.string(address)?;
        let (process, link, rest) = parse(&path)?;
        let another = match process {
            Process::This => None,
            Process::Numbered(pid) => Some(pid).filter(|pid| !self.is_this(*pid)),
        };
        let front = match link {
            _ if another.is_some() => self.front_elsewhere(another?, link)?,
            Link::Cwd if self.cwd_in_rump() => "/proc/self/cwd".into(),
            Link::Cwd => return None,
            Link::Fd(fd) => format!("/proc/self/fd/{}", self.number_there(fd)?),
            Link::Info(fd) => {
                let there = self.number_there(fd)?;
                self.tell_cloexec(fd, there);
                format!("/proc/self/fdinfo/{there}")
            }
        };
        let is_link = rest.is_empty() && !matches!(link, Link::Info(_));
        Some(Told::Ours { path: [front.as_bytes(), rest, b"\0"].concat(), is_link })
    }

    fn is_this(&self, pid: u32) -> bool {
        self.world.host(nr::GETPID, [0; 6]) == Ok(pid.into())
    }

    /// The name in the rump kernel's /proc of what another process's link leads to.
    fn front_elsewhere(&self, pid: u32, link: Link) -> Option<String> {
        let (fd, directory) = match link {
            Link::Fd(fd) => (fd, "fd"),
            Link::Info(fd) => (fd, "fdinfo"),
            Link::Cwd => return None,
        };
        let (pid, fd) = self.find_elsewhere(pid, fd)?;
        Some(format!("/proc/{pid}/{directory}/{fd}"))
    }

    fn string(&self, address: u64) -> Option<Vec<u8>> {
        let mut string = vec![0; PATH_MAX];
        let length = self.world.read_str(address, &mut string).ok()?;
        string.truncate(length);
        Some(string)
    }

    /// What the rump kernel is told of a relative path that begins in a directory of the host's (a descriptor, or `AT_FDCWD`) if
    /// that is one in /proc.
    pub(super) fn named_in(&self, dir: u64, address: u64) -> Option<Told> {
        let mut name = [0; FIRST_MAX];
        let length = self.world.read_str(address, &mut name).ok()?;
        if !self.may_lead(name.get(..length)?) {
            return None;
        }
        let directory = getdents::shown(self, dir);
        if !directory.as_bytes().starts_with(b"/proc") {
            return None;
        }
        let path = [directory.as_bytes(), b"/", from_here(&self.string(address)?), b"\0"].concat();
        self.through_link(&path, path.as_ptr() as u64)
    }

    /// Whether a path that begins so may lead to a descriptor, if it begins in /proc.
    fn may_lead(&self, start: &[u8]) -> bool {
        match split(from_here(start)) {
            (b"self" | b"thread-self" | b"task" | b"fd" | b"fdinfo", [_, ..]) => true,
            // The number of a descriptor, or that of a process with more behind it.
            (number, _) => decimal(number).is_some(),
        }
    }

    /// Whether it is closed on exec, which only the host knows of a descriptor.
    fn tell_cloexec(&self, fd: u32, there: u32) {
        let flags = self.world.host(nr::FCNTL, [fd.into(), F_GETFD.into(), 0, 0, 0, 0]);
        let args = |flags| [there.into(), F_SETFD.into(), flags, 0, 0, 0];
        let _ = flags.and_then(|flags| self.rump(row_of(nr::FCNTL)?, args(flags)));
    }

    /// The rump kernel's number of a descriptor. The library's own are not there.
    fn number_there(&self, fd: u32) -> Option<u32> {
        match (self.entry(fd), self.owner(fd.into())) {
            (Entry::Own, _) => Some(NO_FD),
            (_, Ok(Owner::Rump(rump))) => Some(rump.kernel_fd.0),
            _ => None,
        }
    }
}

/// Whether a path of which these are the first bytes may be that of another process's descriptor. Most of what programs read in /proc
/// is not.
fn may_be_anothers(start: &[u8]) -> bool {
    let Some(number) = start.strip_prefix(b"/proc/") else { return false };
    let (digits, below) = split(number);
    digits.iter().all(u8::is_ascii_digit) && matches!(below, [] | [b'/'] | [b'/', b'f' | b't', ..])
}

/// Takes a path apart: whose link, which, and what follows it.
fn parse(path: &[u8]) -> Option<(Process, Link, &[u8])> {
    let standard = [b"/dev/stdin".as_slice(), b"/dev/stdout", b"/dev/stderr"];
    for (fd, name) in (0..).zip(standard) {
        if let Some(rest) = path.strip_prefix(name).filter(|rest| ends(rest)) {
            return Some((Process::This, Link::Fd(fd), rest));
        }
    }
    if let Some(number) = path.strip_prefix(b"/dev/fd/") {
        return fd(number).map(|(link, rest)| (Process::This, link, rest));
    }
    let (process, below) = split(path.strip_prefix(b"/proc/")?);
    let process = match process {
        b"self" | b"thread-self" => Process::This,
        number => Process::Numbered(decimal(number)?),
    };
    let below = below.strip_prefix(b"/")?;
    // All threads have the same descriptors, unless they said that they do not want to.
    let below = match below.strip_prefix(b"task/").map(split) {
        Some((thread, below)) if decimal(thread).is_some() => below.strip_prefix(b"/")?,
        _ => below,
    };
    if let Some(number) = below.strip_prefix(b"fdinfo/") {
        let (number, rest) = split(number);
        return Some((process, Link::Info(decimal(number)?), rest));
    }
    let (link, rest) = match below.strip_prefix(b"cwd").filter(|rest| ends(rest)) {
        Some(rest) => (Link::Cwd, rest),
        None => fd(below.strip_prefix(b"fd/")?)?,
    };
    Some((process, link, rest))
}

fn fd(path: &[u8]) -> Option<(Link, &[u8])> {
    let (number, rest) = split(path);
    Some((Link::Fd(decimal(number)?), rest))
}

/// A relative path without `./` in front.
fn from_here(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    path
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().position(|byte| *byte == b'/').unwrap_or(path.len()))
}

/// Whether a name ends here.
fn ends(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b'/'))
}

/// readlink(2): a link shows the rump kernel's path as the program knows it.
pub(super) fn readlink<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match h.path_at(None, call.args[0])? {
        Some((_, Told::Ours { path, is_link: true })) => show(h, &path, call.args[1], call.args[2]),
        Some((_, told)) => h.rump(row_of(call.nr)?, with(call.args, 0, told.address())).map(Answer::Value),
        None => Ok(Answer::Host),
    }
}

/// readlinkat(2): likewise.
pub(super) fn readlinkat<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match h.path_at(Some(call.args[0]), call.args[1])? {
        Some((_, Told::Ours { path, is_link: true })) => show(h, &path, call.args[2], call.args[3]),
        Some((dir, told)) => {
            let args = with(with(call.args, 0, dir), 1, told.address());
            h.rump(row_of(call.nr)?, args).map(Answer::Value)
        }
        None => Ok(Answer::Host),
    }
}

fn show<W: World>(h: &Hijack<W>, link: &[u8], buffer: u64, room: u64) -> Verdict {
    // The size is an int (readlink(2)).
    let room = usize::try_from(room as u32 as i32).ok().filter(|room| *room > 0).ok_or(Errno::EINVAL)?;
    let mut target = vec![0; PATH_MAX];
    let args = [link.as_ptr() as u64, target.as_mut_ptr() as u64, PATH_MAX as u64, 0, 0, 0];
    let length = usize::try_from(h.rump(row_of(nr::READLINK)?, args)?).map_err(|_| Errno::EIO)?;
    let target = target.get(..length).ok_or(Errno::EIO)?;
    // `socket:[1]` and the like are no paths.
    let is_path = target.starts_with(b"/");
    let (front, rest) = if is_path { path::shown(&h.config, target) } else { (b"".as_slice(), target) };
    let mut shown = [front, rest].concat();
    shown.truncate(room);
    h.world.write(buffer, &shown)?;
    Ok(Answer::Value(shown.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_descriptors() {
        let this = |fd, rest: &'static [u8]| Some((Process::This, Link::Fd(fd), rest));
        assert_eq!(parse(b"/dev/fd/130"), this(130, b""));
        assert_eq!(parse(b"/proc/self/fd/7/"), this(7, b"/"));
        assert_eq!(parse(b"/proc/thread-self/fd/7/a/b"), this(7, b"/a/b"));
        assert_eq!(parse(b"/dev/stdout"), this(1, b""));
        assert_eq!(parse(b"/proc/12/fd/7"), Some((Process::Numbered(12), Link::Fd(7), b"".as_slice())));
        assert_eq!(parse(b"/proc/self/task/9/fd/7"), this(7, b""));
        assert_eq!(parse(b"/proc/self/fdinfo/7"), Some((Process::This, Link::Info(7), b"".as_slice())));
        assert_eq!(parse(b"/proc/self/cwd/x"), Some((Process::This, Link::Cwd, b"/x".as_slice())));
        for other in [
            b"/dev/fd/".as_slice(),
            b"/dev/fd/x",
            b"/dev/stdinx",
            b"/proc/x/fd/7",
            b"/proc/self/fd",
            b"/proc/self/cwdx",
            b"/proc/self/task/7",
            b"/proc/self/fdinfo",
            b"/proc/self/fdinfo/x",
        ] {
            assert_eq!(parse(other), None);
        }
    }

    proptest! {
        #[test]
        fn any_path_is_taken_apart(path in "/(proc|dev)/(self|fd|1|stdin)?/?(fd|fdinfo|cwd|task/3/fd|2)?/?[0-9/]{0,5}") {
            if let Some((_, _, rest)) = parse(path.as_bytes()) {
                prop_assert!(ends(rest) && path.as_bytes().ends_with(rest));
            }
        }
    }
}
