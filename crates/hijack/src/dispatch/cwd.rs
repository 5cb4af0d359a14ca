//! chdir(2) and fchdir(2) move the process between kernels; getcwd(2) shows where it is.

use super::{Answer, Call, Verdict, row_of, with};
use crate::owner::Owner;
use crate::world::World;
use crate::{Hijack, path};
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;

/// `PATH_MAX` of linux/limits.h.
const PATH_MAX: usize = 4096;

/// No working directory is told that has a longer path.
const CWD_MAX: usize = 256 << 10;

pub(super) fn chdir<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let Some((_, told)) = h.path_at(None, call.args[0])? else { return enter_host(h, call) };
    h.begin_own_place()?;
    h.rump(row_of(call.nr)?, with(call.args, 0, told.address()))?;
    h.set_cwd_in_rump(true);
    Ok(Answer::Value(0))
}

pub(super) fn fchdir<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match h.owner(call.args[0])? {
        Owner::Host => enter_host(h, call),
        Owner::Rump(rump) => {
            h.begin_own_place()?;
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
    // The C library asks for longer paths than Linux tells (fs/d_path.c) by walking up to `/` itself, which is the host's: so one that
    // fits the buffer is better told at once.
    let size = usize::try_from(room).unwrap_or(CWD_MAX).clamp(PATH_MAX, CWD_MAX);
    let shown = [told_cwd(h, size)?.as_slice(), b"\0"].concat();
    if room < shown.len() as u64 {
        return Err(Errno::ERANGE);
    }
    h.world.write(address, &shown)?;
    Ok(Answer::Value(shown.len() as u64))
}

/// The working directory in the rump kernel as the program sees it.
pub(crate) fn shown_cwd<W: World>(h: &Hijack<W>) -> Result<Vec<u8>, Errno> {
    told_cwd(h, PATH_MAX)
}

/// As [`shown_cwd`], where there is room for so many bytes.
fn told_cwd<W: World>(h: &Hijack<W>, size: usize) -> Result<Vec<u8>, Errno> {
    let mut directory = vec![0u8; size];
    let args = [directory.as_mut_ptr() as u64, size as u64, 0, 0, 0, 0];
    let too_long = |errno| match errno {
        Errno::ERANGE if size == PATH_MAX => Errno::ENAMETOOLONG,
        errno => errno,
    };
    let length = h.rump(row_of(nr::GETCWD)?, args).map_err(too_long)?;
    let length = usize::try_from(length).map_err(|_| Errno::EIO)?;
    // The value counts the NUL.
    let directory = length.checked_sub(1).and_then(|length| directory.get(..length)).ok_or(Errno::EIO)?;
    let (front, rest) = path::shown(&h.config, directory);
    Ok([front, rest].concat())
}
