//! Files about the kernel as a whole.

use crate::{Kernel, OSRELEASE, VERSION};
use std::fmt::Write;
use vfs::DRIVE_MAJOR;
use vfs::remote::ON_DRIVES;

const SECOND_NS: u64 = 1_000_000_000;

/// proc_version(5).
pub(crate) fn version(_: &Kernel) -> String {
    format!("Linux version {OSRELEASE} (rumphijack) {VERSION}\n")
}

/// proc_uptime(5). Nobody counts the time in which the rump kernel has nothing to do: the second figure is 0.
pub(crate) fn uptime(k: &Kernel) -> String {
    let up = k.now.mono_ns.saturating_sub(k.booted.mono_ns);
    format!("{}.{:02} 0.00\n", up / SECOND_NS, up % SECOND_NS / (SECOND_NS / 100))
}

/// proc_meminfo(5): memory is what the root file system may hold.
pub(crate) fn meminfo(k: &Kernel) -> String {
    let root = k.fs.vfs.root();
    let statfs = k.fs.vfs.statfs(root).unwrap_or_default();
    let kib = |blocks: u64| blocks.saturating_mul(statfs.f_bsize.unsigned_abs()) / 1024;
    let (total, free) = (kib(statfs.f_blocks), kib(statfs.f_bfree));
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", total.saturating_sub(free)),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Shmem", total.saturating_sub(free)),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<15} {value:>8} kB", format!("{name}:"));
    }
    text
}

/// proc_cmdline(5): nobody gave a rump kernel boot parameters.
pub(crate) fn cmdline(_: &Kernel) -> String {
    "\n".into()
}

/// proc_cpuinfo(5): one processor, as far as programs can tell: calls are served one after the other.
pub(crate) fn cpuinfo(_: &Kernel) -> String {
    "processor\t: 0\nvendor_id\t: rumphijack\nmodel name\t: rump kernel\n\n".into()
}

/// proc_devices(5).
pub(crate) fn devices(_: &Kernel) -> String {
    format!(
        "Character devices:\n  1 mem\n  5 /dev/tty\n{DRIVE_MAJOR:3} drive\n\nBlock devices:\n{DRIVE_MAJOR:3} drive\n"
    )
}

/// proc_partitions(5); sizes in KiB.
pub(crate) fn partitions(k: &Kernel) -> String {
    let mut text = String::from("major minor  #blocks  name\n\n");
    for (number, name) in k.fs.shown.drives() {
        let size = k.fs.vfs.drive_numbered(number).map_or(0, |drive| drive.size);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{DRIVE_MAJOR:4}  {number:7} {:10} {name}", size / 1024);
    }
    text
}

/// proc_loadavg(5): a rump kernel has no run queue. The fourth field: who runs, of how many; the last: the newest process.
pub(crate) fn loadavg(k: &Kernel) -> String {
    let running = u64::from(k.current.0 != 0);
    let newest = k.processes.iter().map(|process| process.pid.0).max().unwrap_or_default();
    format!("0.00 0.00 0.00 {running}/{} {newest}\n", k.processes.iter().count())
}

/// proc_swaps(5).
pub(crate) fn swaps(_: &Kernel) -> String {
    "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".into()
}

/// proc_filesystems(5).
pub(crate) fn filesystems(_: &Kernel) -> String {
    let on_drives: String = ON_DRIVES.iter().map(|kind| format!("\t{kind}\n")).collect();
    format!("nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdir\nnodev\toverlay\n{on_drives}")
}

/// proc_stat(5), as far as a rump kernel has such things: when it started, and how many processes there have been.
pub(crate) fn stat(k: &Kernel) -> String {
    let running = u64::from(k.current.0 != 0);
    format!(
        "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime {}\nprocesses {}\nprocs_running {running}\nprocs_blocked 0\n",
        k.booted.real_ns / SECOND_NS,
        k.processes.born()
    )
}
