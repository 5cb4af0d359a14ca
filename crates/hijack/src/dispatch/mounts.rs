//! The list of mounts under `vfs=getvfsstat`: the rump kernel's, each directory as the program can name it.

use super::{Answer, Verdict, row_of};
use crate::config::Vfs;
use crate::world::World;
use crate::{Hijack, named};
use abi::private;

/// The longest of the names, with its NUL.
const ROOM: usize = 24;

/// Opens the list if the path names it; `None`: it does not.
pub(super) fn open<W: World>(h: &Hijack<W>, path: u64, flags: u64) -> Option<Verdict> {
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
