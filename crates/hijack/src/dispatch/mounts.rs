//! The list of mounts under `vfs=getvfsstat`: the rump kernel's, each directory as the program can name it.

use super::{Answer, Call, Verdict, row_of};
use crate::config::Vfs;
use crate::world::World;
use crate::{Hijack, named};
use abi::{Errno, nr, private};

/// The longest of the names, with its NUL.
const ROOM: usize = 24;

/// open(2): the list if the path names it.
pub(super) fn open<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match list(h, call.args[0], call.args[1]) {
        Some(verdict) => verdict,
        None => h.by_path((row_of(call.nr)?, call), 0),
    }
}

/// openat(2): likewise.
pub(super) fn openat<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match list(h, call.args[1], call.args[2]) {
        Some(verdict) => verdict,
        None => h.at((row_of(call.nr)?, call), 0, 1),
    }
}

/// Opens the list if the path names it; `None`: it does not.
fn list<W: World>(h: &Hijack<W>, path: u64, flags: u64) -> Option<Verdict> {
    if !h.config.vfs.contains(Vfs::Getvfsstat) {
        return None;
    }
    let mut name = [0; ROOM];
    let length = h.world.read_str(path, &mut name).ok()?;
    let list = named::mounts(&h.config, name.get(..length)?)?;
    let prefix = h.config.path.as_deref().unwrap_or_default();
    let args = [prefix.as_ptr() as u64, prefix.len() as u64, list, flags, 0, 0];
    Some(row_of(private::MOUNTS).and_then(|row| h.rump(row, args)).map(Answer::Value))
}

pub(super) fn listmount<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if !h.config.vfs.contains(Vfs::Getvfsstat) {
        return Ok(Answer::Host);
    }
    h.rump(row_of(nr::LISTMOUNT)?, call.args).map(Answer::Value)
}

/// No flag is known (statmount(2)).
pub(super) fn statmount<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if !h.config.vfs.contains(Vfs::Getvfsstat) {
        return Ok(Answer::Host);
    }
    let [request, buffer, size, flags, ..] = call.args;
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let prefix = h.config.path.as_deref().unwrap_or_default();
    let args = [request, buffer, size, prefix.as_ptr() as u64, prefix.len() as u64, 0];
    h.rump(row_of(private::STATMOUNT)?, args).map(Answer::Value)
}
