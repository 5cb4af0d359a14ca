//! listmount(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::LISTMOUNT_REVERSE;

/// `MNT_ID_REQ_SIZE_VER0`
const REQUEST: u32 = 24;
/// `LSMT_ROOT`: the mount of the caller's root, which is listed too.
const ROOT: u64 = u64::MAX;
/// More are never asked for at once (fs/namespace.c).
const IDS_MAX: u64 = 1_000_000;

/// What `struct mnt_id_req` asks.
pub(super) struct MountRequest {
    pub(super) id: u64,
    pub(super) param: u64,
}

impl MountRequest {
    /// The one that argument 0 points to.
    ///
    /// # Errors
    /// `EFAULT`; `EINVAL`: too short, or with something in its spare field.
    pub(super) fn read(cx: &Cx<'_>) -> Result<Self, Stop> {
        let at = cx.arg(0);
        let [size, spare]: [u32; 2] = cx.get(at)?;
        if size < REQUEST || spare != 0 {
            return Err(Errno::EINVAL.into());
        }
        let [id, param]: [u64; 2] = cx.get(at.wrapping_add(8))?;
        Ok(Self { id, param })
    }
}

/// The mounts below one, by number, behind the number in `param`.
pub(crate) fn listmount(cx: &mut Cx<'_>) -> Answer {
    let (addr, count, flags) = (cx.arg(1), cx.arg(2), cx.uint(3));
    if flags & !LISTMOUNT_REVERSE != 0 {
        return Err(Errno::EINVAL.into());
    }
    if count > IDS_MAX {
        return Err(Errno::EOVERFLOW.into());
    }
    let request = MountRequest::read(cx)?;
    let root = cx.process()?.root();
    let table = cx.kernel.fs.vfs.mount_table(root);
    let parent = |id: u64| table.iter().find(|mount| mount.id == id).map(|mount| mount.parent);
    if request.id != ROOT && parent(request.id).is_none() {
        return Err(Errno::ENOENT.into());
    }
    let below = |id: u64| {
        request.id == ROOT || std::iter::successors(parent(id), |id| parent(*id)).any(|above| above == request.id)
    };
    let mut ids: Vec<u64> = table.iter().map(|mount| mount.id).filter(|id| below(*id)).collect();
    if flags & LISTMOUNT_REVERSE != 0 {
        ids.reverse();
        ids.retain(|id| request.param == 0 || *id < request.param);
    } else {
        ids.retain(|id| *id > request.param);
    }
    ids.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    cx.call.mem.write(addr, ids.iter().flat_map(|id| id.to_ne_bytes()).collect());
    Ok(ids.len() as u64)
}
