//! openat2(2): with `RESOLVE_IN_ROOT` an absolute path begins at the directory's descriptor, whatever it begins with.

use super::route::AT_FDCWD;
use super::{Answer, Call, Verdict, row_of, with};
use crate::Hijack;
use crate::owner::Owner;
use crate::world::World;
use abi::layout::OpenHow;
use abi::raw::general::RESOLVE_IN_ROOT;
use zerocopy::{FromZeros, IntoBytes};

pub(super) fn openat2<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let row = row_of(call.nr)?;
    if !is_in_root(h, call) {
        return h.at((row, call), 0, 1);
    }
    let dir = call.args[0];
    let dir_there = match dir as u32 {
        AT_FDCWD if h.cwd_in_rump() => dir,
        AT_FDCWD => return Ok(Answer::Host),
        _ => match h.owner(dir)? {
            Owner::Host => return Ok(Answer::Host),
            Owner::Rump(rump) => rump.kernel_fd.0.into(),
        },
    };
    h.rump(row, with(call.args, 0, dir_there)).map(Answer::Value)
}

/// Whether the program asks for it. A structure that cannot be read is either kernel's `EFAULT`.
fn is_in_root<W: World>(h: &Hijack<W>, call: &Call) -> bool {
    let mut how = OpenHow::new_zeroed();
    let read =
        call.args[3] >= size_of::<OpenHow>() as u64 && h.world.read(call.args[2], how.as_mut_bytes()).is_ok();
    read && how.resolve & u64::from(RESOLVE_IN_ROOT) != 0
}
