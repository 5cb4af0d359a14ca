//! openat2(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::call::Stop;
use super::openat::{WITH_PATH, open_path};
use abi::Errno;
use abi::layout::OpenHow;
use abi::raw::general::*;
use vfs::Opening;

/// All `O_*` bits that openat2(2) knows; unlike open(2) it refuses others.
const FLAGS: u32 = O_ACCMODE
    | O_CREAT
    | O_EXCL
    | O_NOCTTY
    | O_TRUNC
    | O_APPEND
    | O_NONBLOCK
    | O_SYNC
    | FASYNC
    | O_DIRECT
    | O_LARGEFILE
    | O_DIRECTORY
    | O_NOFOLLOW
    | O_NOATIME
    | O_CLOEXEC
    | O_PATH
    | O_TMPFILE;
const RESOLVE: u32 = RESOLVE_NO_XDEV
    | RESOLVE_NO_MAGICLINKS
    | RESOLVE_NO_SYMLINKS
    | RESOLVE_BENEATH
    | RESOLVE_IN_ROOT
    | RESOLVE_CACHED;
const TMPFILE: u32 = O_TMPFILE & !O_DIRECTORY;
/// Longer structures than this are not looked at (`PAGE_SIZE`).
const SIZE_MAX: u64 = 4096;

pub(crate) fn openat2(cx: &mut Cx<'_>) -> Answer {
    let how = get_how(cx)?;
    let flags = u32::try_from(how.flags).map_err(|_| Errno::EINVAL)?;
    let creates = flags & (O_CREAT | TMPFILE) != 0;
    let bad_mode = how.mode & !0o7777 != 0 || (!creates && how.mode != 0);
    let scopes = u64::from(RESOLVE_BENEATH | RESOLVE_IN_ROOT);
    if flags & !FLAGS != 0
        || bad_mode
        || flags & O_PATH != 0 && flags & !WITH_PATH != 0
        || how.resolve & !u64::from(RESOLVE) != 0
        || how.resolve & scopes == scopes
    {
        return Err(Errno::EINVAL.into());
    }
    // Nothing here is a cache in which everything is found.
    if how.resolve & u64::from(RESOLVE_CACHED) != 0 {
        return Err(Errno::EAGAIN.into());
    }
    let mode = u32::try_from(how.mode).map_err(|_| Errno::EINVAL)?;
    open_path(cx, Some(0), 1, Opening { flags, mode, resolve: how.resolve })
}

/// The structure, which may be longer than we know if the rest is zero.
fn get_how(cx: &Cx<'_>) -> Result<OpenHow, Stop> {
    let (addr, size) = (cx.arg(2), cx.arg(3));
    let known = size_of::<OpenHow>() as u64;
    if size < known {
        return Err(Errno::EINVAL.into());
    }
    if size > SIZE_MAX {
        return Err(Errno::E2BIG.into());
    }
    let rest: Vec<u8> = cx.get_array(addr, size)?.split_off(size_of::<OpenHow>());
    if rest.iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG.into());
    }
    cx.get(addr)
}
