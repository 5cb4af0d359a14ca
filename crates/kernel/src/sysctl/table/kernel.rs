//! proc_sys_kernel(5).

use crate::sysctl::{Row, UTS_NAME_MAX, Value, count, numbers, one, shown};
use crate::{Kernel, OSRELEASE, VERSION};

/// linux/capability.h: CAP_CHECKPOINT_RESTORE.
const CAP_LAST_CAP: i64 = 40;
/// What the generator of random numbers starts from.
const SEED_BITS: i64 = 256;
/// linux/limits.h
const NGROUPS_MAX: i64 = 65536;
/// linux/highuid.h
const OVERFLOW_ID: i64 = 65534;

pub(super) const ROWS: &[Row] = &[
    Row {
        path: "kernel/domainname",
        about: "The NIS domain name of the rump kernel; with `sysctl=yes` uname(2) shows it and setdomainname(2) sets it.",
        value: Value::Text {
            get: |k| k.tunables.domainname.clone(),
            set: Some(|k, name| k.tunables.domainname = name),
            most: UTS_NAME_MAX,
        },
    },
    Row {
        path: "kernel/hostname",
        about: "The name of the rump kernel; with `sysctl=yes` uname(2) shows it and sethostname(2) sets it.",
        value: Value::Text {
            get: |k| k.tunables.hostname.clone(),
            set: Some(|k, name| k.tunables.hostname = name),
            most: UTS_NAME_MAX,
        },
    },
    fixed("kernel/arch", "The machine, as uname(2) shows it.", |_| "x86_64".into()),
    shown("kernel/cap_last_cap", "The last capability that Linux has.", |_| vec![CAP_LAST_CAP]),
    shown("kernel/ngroups_max", "The most supplementary groups of a process.", |_| vec![NGROUPS_MAX]),
    shown("kernel/overflowgid", "`nogroup`.", |_| vec![OVERFLOW_ID]),
    shown("kernel/overflowuid", "`nobody`.", |_| vec![OVERFLOW_ID]),
    fixed("kernel/osrelease", "The Linux whose calls this kernel serves.", |_| OSRELEASE.into()),
    fixed("kernel/ostype", "`Linux`.", |_| "Linux".into()),
    numbers(
        "kernel/pid_max",
        "Processes get numbers below this one.",
        // PIDS_PER_CPU_MIN and PID_MAX_LIMIT of 64-bit Linux.
        (301, 1 << 22),
        |k| vec![count(k.processes.pid_max)],
        |k, values| {
            k.processes.pid_max = one(values)?;
            Ok(())
        },
    ),
    shown("kernel/random/entropy_avail", "The bits of the seed.", |_| vec![SEED_BITS]),
    shown("kernel/random/poolsize", "As `entropy_avail`.", |_| vec![SEED_BITS]),
    fixed("kernel/random/boot_id", "A random UUID, the same until the rump kernel is started again.", |k| {
        k.boot_id.clone()
    }),
    Row {
        path: "kernel/random/uuid",
        about: "A random UUID, another at each reading.",
        value: Value::Fresh(|k| k.fs.uuid()),
    },
    fixed("kernel/version", "The version of rumphijack.", |_| VERSION.into()),
];

const fn fixed(path: &'static str, about: &'static str, get: fn(&Kernel) -> String) -> Row {
    Row { path, about, value: Value::Text { get, set: None, most: 0 } }
}
