//! chdir(2) and fchdir(2) move the process between kernels; getcwd(2) shows where it is.

use super::route::{PathOwner, Told};
use super::{Answer, Call, Verdict, row_of, with};
use crate::owner::Owner;
use crate::world::World;
use crate::{Hijack, path};
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;

/// `PATH_MAX` of linux/limits.h.
const PATH_MAX: usize = 4096;

pub(super) fn chdir<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let told = match h.path_owner(call.args[0]) {
        PathOwner::Host => return enter_host(h, call),
        PathOwner::Relative if !h.cwd_in_rump() => return Ok(Answer::Host),
        PathOwner::Relative => Told::Theirs(call.args[0]),
        PathOwner::Rump(told) => told,
    };
    h.rump(row_of(call.nr)?, with(call.args, 0, told.address()))?;
    h.set_cwd_in_rump(true);
    Ok(Answer::Value(0))
}

pub(super) fn fchdir<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match h.owner(call.args[0])? {
        Owner::Host => enter_host(h, call),
        Owner::Rump(rump) => {
            h.rump(row_of(call.nr)?, with(call.args, 0, rump.kernel_fd.0.into()))?;
            h.set_cwd_in_rump(true);
            Ok(Answer::Value(0))
        }
    }
}

fn enter_host<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if !h.cwd_in_rump() {
        return Ok(Answer::Host);
    }
    let value = h.world.host(call.nr, call.args)?;
    h.set_cwd_in_rump(false);
    Ok(Answer::Value(value))
}

pub(super) fn getcwd<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if !h.cwd_in_rump() {
        return Ok(Answer::Host);
    }
    let [address, room, ..] = call.args;
    let shown = [shown_cwd(h)?.as_slice(), b"\0"].concat();
    if room < shown.len() as u64 {
        return Err(Errno::ERANGE);
    }
    h.world.write(address, &shown)?;
    Ok(Answer::Value(shown.len() as u64))
}

/// The working directory in the rump kernel as the program sees it.
pub(crate) fn shown_cwd<W: World>(h: &Hijack<W>) -> Result<Vec<u8>, Errno> {
    let mut directory = vec![0u8; PATH_MAX];
    let args = [directory.as_mut_ptr() as u64, PATH_MAX as u64, 0, 0, 0, 0];
    // Linux has no more room either (fs/d_path.c).
    let too_long = |errno| if errno == Errno::ERANGE { Errno::ENAMETOOLONG } else { errno };
    let length = h.rump(row_of(nr::GETCWD)?, args).map_err(too_long)?;
    let length = usize::try_from(length).map_err(|_| Errno::EIO)?;
    // The value counts the NUL.
    let directory = length.checked_sub(1).and_then(|length| directory.get(..length)).ok_or(Errno::EIO)?;
    let (front, rest) = path::shown(&h.config, directory);
    Ok([front, rest].concat())
}
