//! proc_sys_fs(5).

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
];
