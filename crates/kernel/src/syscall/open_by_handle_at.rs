//! open_by_handle_at(2).

use super::name_to_handle_at::HANDLE_MAX;
use super::openat::enter;
use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{AT_FDCWD, O_CREAT};
use vfs::{HANDLE_TYPE, Opening};

/// With AT_FDCWD the handle says itself of which mount it is.
pub(crate) fn open_by_handle_at(cx: &mut Cx<'_>) -> Answer {
    let (handle_at, flags) = (cx.arg(1), cx.uint(2) & !O_CREAT);
    // CAP_DAC_READ_SEARCH: no directory on the way is asked.
    cx.check_rules()?;
    let [len, kind]: [u32; 2] = cx.get(handle_at)?;
    if len == 0 || len > HANDLE_MAX {
        return Err(Errno::EINVAL.into());
    }
    let mount = if cx.int(0) == AT_FDCWD {
        None
    } else {
        Some(cx.any_file(0)?.ops.location().ok_or(Errno::ESTALE)?)
    };
    let handle = cx.call.mem.read(handle_at.wrapping_add(8), len.into())?.to_vec();
    if kind.cast_signed() != HANDLE_TYPE {
        return Err(Errno::ESTALE.into());
    }
    let at = cx.kernel.fs.vfs.by_handle(mount, &handle)?;
    let tree = cx.tree()?;
    let opened = tree.vfs.open_at(&tree.who, at, Opening { flags, mode: 0, resolve: 0 }, tree.now)?;
    enter(cx, opened, flags)
}
