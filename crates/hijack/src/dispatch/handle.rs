//! open_by_handle_at(2): no path says whose the handle is; `vfs=fhcalls` does.

use super::route::AT_FDCWD;
use super::{Answer, Call, Verdict, row_of, with};
use crate::Hijack;
use crate::config::Vfs;
use crate::owner::Owner;
use crate::world::World;

pub(super) fn open_by_handle_at<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let args = match h.owner(call.args[0])? {
        Owner::Rump(rump) => with(call.args, 0, rump.kernel_fd.0.into()),
        // Our handles say of which mount they are.
        Owner::Host if h.config.vfs.contains(Vfs::Fhcalls) => with(call.args, 0, AT_FDCWD.into()),
        Owner::Host => return Ok(Answer::Host),
    };
    h.rump(row_of(call.nr)?, args).map(Answer::Value)
}
