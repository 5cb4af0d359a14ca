//! proc_sys_kernel(5).

use crate::sysctl::{Row, Value, count, numbers, one};
use crate::{Kernel, OSRELEASE, VERSION};

/// `__NEW_UTS_LEN`, uname(2).
const NAME_MAX: usize = 64;

pub(super) const ROWS: &[Row] = &[
    Row {
        path: "kernel/domainname",
        about: "The NIS domain name of the rump kernel. uname(2) stays the host's.",
        value: Value::Text {
            get: |k| k.tunables.domainname.clone(),
            set: Some(|k, name| k.tunables.domainname = name),
            most: NAME_MAX,
        },
    },
    Row {
        path: "kernel/hostname",
        about: "The name of the rump kernel. uname(2) stays the host's.",
        value: Value::Text {
            get: |k| k.tunables.hostname.clone(),
            set: Some(|k, name| k.tunables.hostname = name),
            most: NAME_MAX,
        },
    },
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
    fixed("kernel/version", "The version of rumphijack.", |_| VERSION.into()),
];

const fn fixed(path: &'static str, about: &'static str, get: fn(&Kernel) -> String) -> Row {
    Row { path, about, value: Value::Text { get, set: None, most: 0 } }
}
