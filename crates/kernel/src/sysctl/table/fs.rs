//! proc_sys_fs(5).

use crate::Kernel;
use crate::fdtable::FDS_MAX;
use crate::sysctl::{Row, count, numbers, one, shown};
use abi::Errno;

const PAGE: usize = 4096;

pub(super) const ROWS: &[Row] = &[
    numbers(
        "fs/file-max",
        "The most open files of all processes together; beyond, calls that make one answer `ENFILE`, but root's.",
        (0, i64::MAX),
        |k| vec![count(k.tunables.file_max)],
        |k, values| {
            k.tunables.file_max = one(values)?;
            Ok(())
        },
    ),
    shown("fs/file-nr", "Open files, 0, and `fs.file-max`.", |k| {
        vec![count(k.files.len()), 0, count(k.tunables.file_max)]
    }),
    numbers(
        "fs/inotify/max_queued_events",
        "The most events that wait at one inotify descriptor; then comes `IN_Q_OVERFLOW`.",
        (1, i32::MAX as i64),
        |k| vec![count(k.inotify.max_queued_events)],
        |k, values| {
            k.inotify.max_queued_events = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "fs/inotify/max_user_instances",
        "The most inotify descriptors of all users together; beyond, `EMFILE`.",
        (0, i32::MAX as i64),
        |k| vec![count(k.inotify.max_user_instances)],
        |k, values| {
            k.inotify.max_user_instances = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "fs/inotify/max_user_watches",
        "The most watches of all users together; beyond, `ENOSPC`.",
        (0, i32::MAX as i64),
        |k| vec![count(k.inotify.max_user_watches)],
        |k, values| {
            k.inotify.max_user_watches = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "fs/mount-max",
        "The most mounts; beyond, mount(2) answers `ENOSPC`.",
        (1, i32::MAX as i64),
        |k| vec![count(k.tunables.mount_max)],
        |k, values| {
            k.tunables.mount_max = one(values)?;
            Ok(())
        },
    ),
    shown("fs/nr_open", "The most descriptors of one process (`EMFILE`).", |_| vec![count(FDS_MAX)]),
    numbers(
        "fs/pipe-max-size",
        "The largest pipe that others than root can ask for (`F_SETPIPE_SZ`), in bytes; rounded up to a power of two.",
        (0, 1 << 31),
        |k| vec![count(k.tunables.pipe_max_size)],
        |k, values| {
            let size: usize = one(values)?;
            k.tunables.pipe_max_size = size.max(PAGE).checked_next_power_of_two().ok_or(Errno::EINVAL)?;
            Ok(())
        },
    ),
    numbers(
        "fs/protected_fifos",
        "1: in a sticky directory that all may write to, others' fifos are not opened with O_CREAT; 2: also where the group may write.",
        (0, 2),
        |k| vec![count(k.fs.vfs.protected.protected_fifos)],
        |k, values| {
            k.fs.vfs.protected.protected_fifos = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "fs/protected_hardlinks",
        "1: link(2) makes names of others' files only where that gives no power over them.",
        (0, 1),
        |k| vec![count(k.fs.vfs.protected.protected_hardlinks)],
        |k, values| {
            k.fs.vfs.protected.protected_hardlinks = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "fs/protected_regular",
        "As `protected_fifos`, of regular files.",
        (0, 2),
        |k| vec![count(k.fs.vfs.protected.protected_regular)],
        |k, values| {
            k.fs.vfs.protected.protected_regular = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "fs/protected_symlinks",
        "1: in a sticky directory that all may write to, a symbolic link is followed only if it is the follower's or the directory owner's.",
        (0, 1),
        |k| vec![count(k.fs.vfs.protected.protected_symlinks)],
        |k, values| {
            k.fs.vfs.protected.protected_symlinks = one(values)?;
            Ok(())
        },
    ),
    shown("fs/inode-nr", "Inodes of the root file system, and how many are free.", |k| {
        let [all, free] = inodes(k);
        vec![all - free, free]
    }),
    shown("fs/inode-state", "As `fs.inode-nr`, and five zeros.", |k| {
        let [all, free] = inodes(k);
        vec![all - free, free, 0, 0, 0, 0, 0]
    }),
    shown("fs/leases-enable", "There are no leases.", |_| vec![0]),
];

/// How many inodes the root file system may have, and how many it may still get.
fn inodes(k: &Kernel) -> [i64; 2] {
    let statfs = k.fs.vfs.statfs(k.fs.vfs.root()).unwrap_or_default();
    [count(statfs.f_files), count(statfs.f_ffree)]
}
