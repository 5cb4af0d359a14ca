//! linkat(2): `/proc/self/fd/N` with AT_SYMLINK_FOLLOW gives the file of a descriptor a name, as open(2) says for O_TMPFILE.

use super::{Answer, Call, Verdict, reopen, row_of};
use crate::Hijack;
use crate::owner::Owner;
use crate::world::World;
use abi::Errno;
use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_FOLLOW};

pub(super) fn linkat<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let row = row_of(call.nr)?;
    let [_, path, to_dir, to, flags, _] = call.args;
    let named = if flags as u32 & AT_SYMLINK_FOLLOW == 0 { None } else { reopen::named(h, path) };
    let Some(fd) = named else {
        return h.two_paths((row, call), (Some(0), 1), (Some(2), 3));
    };
    let Owner::Rump(rump) = h.owner(fd.into())? else { return Ok(Answer::Host) };
    let (to_dir, to) = h.path_at(Some(to_dir), to)?.ok_or(Errno::EXDEV)?;
    let empty = c"".as_ptr() as u64;
    let args = [rump.kernel_fd.0.into(), empty, to_dir, to, AT_EMPTY_PATH.into(), 0];
    h.rump(row, args).map(Answer::Value)
}
