//! Files about one process, as far as the rump kernel knows it: its memory and its threads are the host's.

use crate::Kernel;
use crate::fdtable::FDS_MAX;
use crate::process::Process;
use std::fmt::Write;

/// proc_pid_comm(5).
pub(crate) fn comm(_: &Kernel, process: &Process) -> Vec<u8> {
    [process.name.as_slice(), b"\n"].concat()
}

/// proc_pid_cmdline(5): the rump kernel was told the program's name alone.
pub(crate) fn cmdline(_: &Kernel, process: &Process) -> Vec<u8> {
    [process.name.as_slice(), b"\0"].concat()
}

/// proc_pid_status(5).
pub(crate) fn status(k: &Kernel, process: &Process) -> Vec<u8> {
    let (uid, gid) = (process.who.uid, process.who.gid);
    let groups: Vec<String> = process.who.groups.iter().map(u32::to_string).collect();
    let groups = groups.join(" ");
    let (letter, word) = state(k, process);
    let pid = process.pid.0;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "Name:\t{}\nUmask:\t{:04o}\nState:\t{letter} ({word})\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\nPPid:\t{}\n\
         TracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\nFDSize:\t{}\n\
         Groups:\t{groups} \nThreads:\t1\n",
        String::from_utf8_lossy(&process.name).replace('\n', "\\n"),
        process.umask,
        process.ppid.0,
        process.fds.iter().count().next_power_of_two().max(64),
    );
    text.into_bytes()
}

/// proc_pid_stat(5): 52 fields. What only the host knows is 0.
pub(crate) fn stat(k: &Kernel, process: &Process) -> Vec<u8> {
    const FIELDS: usize = 52;
    const PGRP_UP_TO_TTY: &str = "0 0 0 -1";
    let (letter, _) = state(k, process);
    let pid = process.pid.0;
    let name = String::from_utf8_lossy(&process.name);
    let zeros = " 0".repeat(FIELDS - 8);
    format!("{pid} ({name}) {letter} {} {PGRP_UP_TO_TTY}{zeros}\n", process.ppid.0).into_bytes()
}

/// proc_pid_statm(5): memory is the host's.
pub(crate) fn statm(_: &Kernel, _: &Process) -> Vec<u8> {
    b"0 0 0 0 0 0 0\n".to_vec()
}

/// proc_pid_limits(5): the one that the rump kernel has of its own. The others are the host's (getrlimit(2)).
pub(crate) fn limits(_: &Kernel, _: &Process) -> Vec<u8> {
    let row = |name: &str, soft: &str, hard: &str, unit: &str| {
        format!("{name:<25} {soft:<20} {hard:<20} {unit:<10}\n")
    };
    let most = FDS_MAX.to_string();
    (row("Limit", "Soft Limit", "Hard Limit", "Units") + &row("Max open files", &most, &most, "files"))
        .into_bytes()
}

/// The process that looks runs; the others sleep, as far as anybody here knows.
fn state(k: &Kernel, process: &Process) -> (char, &'static str) {
    if process.pid == k.current { ('R', "running") } else { ('S', "sleeping") }
}
