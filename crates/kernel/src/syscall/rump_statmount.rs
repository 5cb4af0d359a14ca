//! `rump_statmount(req, buf, bufsize, prefix, len)`: statmount(2) with a prefix before the mount's directory.

use super::listmount::MountRequest;
use crate::call::Answer;
use crate::cx::Cx;
use crate::proc::text::mounts::shown;
use abi::Errno;
use abi::raw::general::{
    MS_PRIVATE, STATMOUNT_FS_TYPE, STATMOUNT_MNT_BASIC, STATMOUNT_MNT_OPTS, STATMOUNT_MNT_POINT, STATMOUNT_MNT_ROOT,
    STATMOUNT_SB_BASIC, STATMOUNT_SB_SOURCE,
};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// Longer prefixes are no paths (`PATH_MAX`).
const PREFIX_MAX: u64 = 4096;

/// `struct statmount`; the strings lie behind it.
#[derive(FromZeros, IntoBytes, Immutable)]
#[repr(C)]
struct Statmount {
    size: u32,
    mnt_opts: u32,
    mask: u64,
    sb_dev_major: u32,
    sb_dev_minor: u32,
    sb_magic: u64,
    sb_flags: u32,
    fs_type: u32,
    mnt_id: u64,
    mnt_parent_id: u64,
    mnt_id_old: u32,
    mnt_parent_id_old: u32,
    mnt_attr: u64,
    mnt_propagation: u64,
    mnt_peer_group: u64,
    mnt_master: u64,
    propagate_from: u64,
    mnt_root: u32,
    mnt_point: u32,
    mnt_ns_id: u64,
    fs_subtype: u32,
    sb_source: u32,
    spare: [u64; 48],
}

/// `ST_` flags of statfs(2) and `MOUNT_ATTR_` flags of mount_setattr(2): read-only, nosuid, nodev, noexec, noatime, nodiratime, nosymfollow.
const ATTRIBUTES: &[(i64, u64)] =
    &[(1, 1), (2, 2), (4, 4), (8, 8), (0x400, 0x10), (0x800, 0x80), (0x2000, 0x20_0000)];

pub(crate) fn rump_statmount(cx: &mut Cx<'_>) -> Answer {
    let (addr, room, prefix_len) = (cx.arg(1), cx.arg(2), cx.arg(4));
    if prefix_len > PREFIX_MAX {
        return Err(Errno::EINVAL.into());
    }
    let prefix = cx.call.mem.read(cx.arg(3), prefix_len)?.to_vec();
    let request = MountRequest::read(cx)?;
    let root = cx.process()?.root();
    let vfs = &cx.kernel.fs.vfs;
    let mount = vfs.mount_table(root).into_iter().find(|mount| mount.id == request.id).ok_or(Errno::ENOENT)?;
    let statfs = vfs.statfs(mount.root)?;
    let asked = |bit: u32| request.param & u64::from(bit) != 0;
    let mut answer = Statmount::new_zeroed();
    if asked(STATMOUNT_SB_BASIC) {
        let major = u32::try_from((mount.dev >> 8) & 0xfff).unwrap_or(0);
        let minor = u32::try_from((mount.dev & 0xff) | ((mount.dev >> 12) & 0xfff_ff00)).unwrap_or(0);
        (answer.sb_dev_major, answer.sb_dev_minor) = (major, minor);
        (answer.sb_magic, answer.sb_flags) = (statfs.f_type.cast_unsigned(), u32::from(mount.read_only));
    }
    if asked(STATMOUNT_MNT_BASIC) {
        (answer.mnt_id, answer.mnt_parent_id) = (mount.id, mount.parent);
        let old = |id: u64| u32::try_from(id).unwrap_or(u32::MAX);
        (answer.mnt_id_old, answer.mnt_parent_id_old) = (old(mount.id), old(mount.parent));
        let set = ATTRIBUTES.iter().filter(|(st, _)| statfs.f_flags & st != 0);
        (answer.mnt_attr, answer.mnt_propagation) = (set.map(|(_, attr)| attr).sum(), MS_PRIVATE.into());
    }
    let texts: [(u32, &mut u32, Vec<u8>); 5] = [
        (STATMOUNT_FS_TYPE, &mut answer.fs_type, mount.kind.into()),
        (STATMOUNT_MNT_ROOT, &mut answer.mnt_root, mount.shows.clone()),
        (STATMOUNT_MNT_POINT, &mut answer.mnt_point, shown(&prefix, &mount.point)),
        (STATMOUNT_MNT_OPTS, &mut answer.mnt_opts, mount.own_options.trim_start_matches(',').into()),
        (STATMOUNT_SB_SOURCE, &mut answer.sb_source, mount.source.clone().into()),
    ];
    let mut known = u64::from(STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC);
    let mut strings = Vec::new();
    for (bit, offset, text) in texts {
        known |= u64::from(bit);
        if asked(bit) {
            *offset = u32::try_from(strings.len()).unwrap_or(0);
            strings.extend([text, vec![0]].concat());
        }
    }
    answer.mask = request.param & known;
    let len = size_of::<Statmount>() + strings.len();
    answer.size = u32::try_from(len).unwrap_or(u32::MAX);
    let mut bytes = answer.as_bytes().to_vec();
    if !strings.is_empty() && room < len as u64 {
        return Err(Errno::EOVERFLOW.into());
    }
    bytes.extend(strings);
    bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
    cx.call.mem.write(addr, bytes);
    Ok(0)
}
