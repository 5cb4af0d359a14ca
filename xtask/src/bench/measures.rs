//! What is measured, one row each.

/// One figure of the probe.
pub(super) struct Measure {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// Name and argument for `probe`; `DIR` becomes a directory in memory of the respective kernel.
    pub(super) probe: &'static str,
    pub(super) argument: &'static str,
    /// Program and server on one core.
    pub(super) pinned: bool,
    /// What it is to reach, as README.md and the benchmark document say.
    pub(super) target: &'static str,
}

const fn row(
    what: &'static str,
    unit: &'static str,
    probe: &'static str,
    argument: &'static str,
    target: &'static str,
) -> Measure {
    Measure { what, unit, probe, argument, pinned: false, target }
}

const fn pinned(measure: Measure) -> Measure {
    Measure { pinned: true, ..measure }
}

pub(super) const PROBES: &[Measure] = &[
    row("host call (getppid)", "ns", "host-call", "", "≤ 1.3"),
    row("host call by descriptor (read)", "ns", "host-read", "", "≤ 1.3"),
    row("host call by path (stat)", "ns", "host-stat", "", "≤ 1.3"),
    row("start-up of true", "ns", "spawn", "", "≤ host + 1.5 ms"),
    row("a shell's loop of 200 trues", "ns", "shell-loop", "200", "≤ 1.5"),
    pinned(row("null rump call (lseek), one core", "ns", "seek", "DIR", "≤ 6,500 ns")),
    row("null rump call (lseek)", "ns", "seek", "DIR", ""),
    pinned(row("fifo write + read, 1 byte, one core", "ns", "fifo", "DIR,1", "")),
    row("fifo write + read, 64 KiB", "ns", "fifo", "DIR,65536", ""),
    row("TCP stream", "MB/s", "tcp-stream", "256", ""),
    row("TCP 64-byte round trip", "ns", "tcp-round-trip", "0", ""),
    row("… with 10 idle connections", "ns", "tcp-round-trip", "10", "flat"),
    row("… with 1,000 idle connections", "ns", "tcp-round-trip", "1000", "≤ 1.3 × that with 10"),
    // 10,000 connections within one process are 20,000 descriptors: often the limit of a process.
    row("… with 9,000 idle connections", "ns", "tcp-round-trip", "9000", "≤ 1.3 × that with 10"),
    row("TCP connections", "1/s", "tcp-connections", "", ""),
    row("create, write, read, unlink 4 KiB", "1/s", "files", "DIR", ""),
];
