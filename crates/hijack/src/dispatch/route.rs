//! Calls that go where their row says: by descriptor, by path, by family.

use super::across::Named;
use super::{Answer, Rowed, Verdict, argument, with};
use crate::Hijack;
use crate::direct;
use crate::fds::Kind;
use crate::owner::Owner;
use crate::path::{self, RumpPath};
use crate::world::World;
use abi::raw::general::AT_EMPTY_PATH;
use abi::{Errno, nr};
use alloc::vec::Vec;

/// `AT_FDCWD` (linux/fcntl.h), as the low half of a register.
pub(crate) const AT_FDCWD: u32 = -100i32 as u32;

/// The empty rest of a path that was the prefix alone.
static ROOT: &[u8; 2] = b"/\0";

/// What the rump kernel is told in place of a path.
#[derive(Debug)]
pub(crate) enum Told {
    /// The program's own string from this address on.
    Theirs(u64),
    /// Another one, which ends in a NUL.
    Ours {
        /// Its bytes.
        path: Vec<u8>,
        /// Whether it is the name of a link below /proc/self, rather than of something behind one.
        is_link: bool,
    },
}

impl Told {
    /// Where the string is.
    pub(crate) fn address(&self) -> u64 {
        match self {
            Self::Theirs(address) => *address,
            Self::Ours { path, .. } => path.as_ptr() as u64,
        }
    }
}

/// A path argument in the terms of the kernel that it belongs to.
#[derive(Debug)]
pub(crate) enum PathOwner {
    /// The host's.
    Host,
    /// The rump kernel's; absolute there.
    Rump(Told),
    /// Relative: it goes where its directory is.
    Relative,
}

impl<W: World> Hijack<W> {
    pub(super) fn by_fd(&self, (row, call): Rowed<'_>, at: u8) -> Verdict {
        let fd = argument(&call.args, at);
        if let Some(verdict) = self.directly(call, fd) {
            return verdict;
        }
        let owner = if direct::leaves_position(row.nr) { self.owner_for_now(fd) } else { self.owner(fd) };
        let Owner::Rump(rump) = owner? else { return Ok(Answer::Host) };
        let args = with(call.args, at, u64::from(rump.kernel_fd.0));
        let mut value = self.rump_on(row, args, (fd as u32, rump))?;
        if rump.kind == Kind::Regular {
            value = self.read_on(row, args, (fd as u32, rump), value);
        }
        if rump.lone && matches!(row.nr, nr::READ | nr::PREAD64) {
            self.count_read(rump);
        }
        Ok(Answer::Value(value))
    }

    pub(super) fn by_path(&self, (row, call): Rowed<'_>, at: u8) -> Verdict {
        let found = self.path_at(None, argument(&call.args, at))?;
        let Some((_, told)) = found else { return Ok(Answer::Host) };
        self.rump(row, with(call.args, at, told.address())).map(Answer::Value)
    }

    pub(super) fn at(&self, (row, call): Rowed<'_>, dir: u8, path: u8) -> Verdict {
        let found = self.path_at(Some(argument(&call.args, dir)), argument(&call.args, path))?;
        let Some((dir_fd, told)) = found else { return Ok(Answer::Host) };
        let args = with(with(call.args, dir, dir_fd), path, told.address());
        self.rump(row, args).map(Answer::Value)
    }

    pub(super) fn two_paths(
        &self,
        (row, call): Rowed<'_>,
        first: (Option<u8>, u8),
        second: (Option<u8>, u8),
    ) -> Verdict {
        let args = &call.args;
        let named = |(dir, path): (Option<u8>, u8)| {
            let (dir, path) = (dir.map(|at| argument(args, at)), argument(args, path));
            self.path_at(dir, path).map(|found| Named { dir, path, found })
        };
        let (one, other) = (named(first)?, named(second)?);
        match (&one.found, &other.found) {
            (None, None) => Ok(Answer::Host),
            (Some(one), Some(other)) => {
                let place = |args, (dir, path): (Option<u8>, u8), (dir_fd, told): &(u64, Told)| {
                    let args = dir.map_or(args, |at| with(args, at, *dir_fd));
                    with(args, path, told.address())
                };
                let args = place(place(call.args, first, one), second, other);
                self.rump(row, args).map(Answer::Value)
            }
            _ => self.across(row, &one, &other),
        }
    }

    pub(super) fn by_family(&self, (row, call): Rowed<'_>, at: u8) -> Verdict {
        if self.config.families.contains(argument(&call.args, at)) {
            self.rump(row, call.args).map(Answer::Value)
        } else {
            Ok(Answer::Host)
        }
    }

    /// A path with its directory descriptor (`None`: the working directory): what the rump kernel is told in
    /// place of the two, or `None` if it is the host's.
    pub(crate) fn path_at(&self, dir: Option<u64>, path: u64) -> Result<Option<(u64, Told)>, Errno> {
        let cwd = u64::from(AT_FDCWD);
        let (owner, below_root) = self.decide_path(path);
        match owner {
            PathOwner::Host => return Ok(None),
            PathOwner::Rump(told) => return Ok(Some((cwd, told))),
            PathOwner::Relative => {}
        }
        let start = dir.filter(|dir| *dir as u32 != AT_FDCWD);
        let rumps = match start.map(|dir| self.owner(dir)).transpose()? {
            Some(Owner::Rump(rump)) => Some(rump.kernel_fd.0.into()),
            Some(Owner::Host) => None,
            None => self.cwd_in_rump().then_some(cwd),
        };
        if let Some(rumps) = rumps {
            return Ok(Some((rumps, Told::Theirs(path))));
        }
        let start = start.unwrap_or(cwd);
        let told = below_root.filter(|_| self.is_root(start)).or_else(|| self.named_in(start, path));
        Ok(told.map(|told| (cwd, told)))
    }

    /// Whose path a string of the program's is. One that cannot be read is taken for a relative one: either
    /// kernel answers `EFAULT`, and a null path beside a descriptor means the descriptor (utimensat(2)).
    pub(crate) fn path_owner(&self, address: u64) -> PathOwner {
        self.decide_path(address).0
    }

    /// As [`Hijack::path_owner`]; and for a relative path what the rump kernel is told of it should its directory be `/`.
    fn decide_path(&self, address: u64) -> (PathOwner, Option<Told>) {
        // Clearing 4,096 bytes for each path would cost more than the decision.
        if self.path_decides <= 64 { self.decide::<64>(address) } else { self.decide::<4096>(address) }
    }

    fn decide<const ROOM: usize>(&self, address: u64) -> (PathOwner, Option<Told>) {
        let mut start = [0; ROOM];
        let room = start.get_mut(..self.path_decides).unwrap_or_default();
        let Ok(length) = self.world.read_str(address, room) else { return (PathOwner::Relative, None) };
        let start = start.get(..length).unwrap_or_default();
        let told = |cut| match cut {
            RumpPath::Root => Told::Theirs(ROOT.as_ptr() as u64),
            RumpPath::From(at) => Told::Theirs(address.wrapping_add(at as u64)),
        };
        match path::absolute(&self.config, start) {
            None => (PathOwner::Relative, path::below_root(&self.config, start).map(told)),
            Some(path::Owner::Host) => {
                (self.through_link(start, address).map_or(PathOwner::Host, PathOwner::Rump), None)
            }
            Some(path::Owner::Rump(cut)) => (PathOwner::Rump(told(cut)), None),
        }
    }

    /// Whether a host descriptor (or the working directory, `AT_FDCWD`) is that of `/`. Programs that take a path apart
    /// and go from one name to the next begin there (rsync does, so that nobody slips it a symbolic link).
    fn is_root(&self, dir: u64) -> bool {
        let (Some(this), Some(root)) = (self.identity(dir, b"\0"), self.identity(AT_FDCWD.into(), b"/\0"))
        else {
            return false;
        };
        this == root
    }

    /// Device and inode of a file of the host.
    fn identity(&self, dir: u64, path: &[u8]) -> Option<(u64, u64)> {
        let mut stat = abi::layout::Stat::default();
        let args = [dir, path.as_ptr() as u64, (&raw mut stat) as u64, AT_EMPTY_PATH.into(), 0, 0];
        self.world.host(nr::NEWFSTATAT, args).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }
}
