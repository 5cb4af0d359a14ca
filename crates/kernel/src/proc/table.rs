//! What there is in /proc: one row per file.

use super::text::{mounts, system, task};
use crate::Kernel;
use crate::process::Process;
use crate::sysctl;

/// What a name stands for.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// A directory; those above a row's name need no row of their own.
    Directory,
    /// A symbolic link that leads here.
    Link(&'static str),
    /// A symbolic link that leads to the directory of the process that looks.
    Current,
    /// A file of the kernel.
    Text(fn(&Kernel) -> String),
    /// A node of the sysctl tree.
    Sysctl(&'static sysctl::Row),
    /// A file of one process.
    OfTask(fn(&Kernel, &Process) -> Vec<u8>),
}

/// One name: where, the permission bits, and what it stands for.
pub(super) type Row = (&'static str, u32, Content);

/// What is there once.
pub(super) const KERNEL: &[Row] = &[
    ("filesystems", 0o444, Content::Text(system::filesystems)),
    ("meminfo", 0o444, Content::Text(system::meminfo)),
    ("mounts", 0o777, Content::Link("self/mounts")),
    ("self", 0o777, Content::Current),
    ("stat", 0o444, Content::Text(system::stat)),
    ("uptime", 0o444, Content::Text(system::uptime)),
    ("version", 0o444, Content::Text(system::version)),
];

/// The sysctl tree: what is there below sys.
pub(super) fn sysctls() -> impl Iterator<Item = Row> {
    sysctl::rows().map(|row| (row.path, row.mode(), Content::Sysctl(row)))
}

/// What is there for each process.
pub(super) const TASK: &[Row] = &[
    ("cmdline", 0o444, Content::OfTask(task::cmdline)),
    ("comm", 0o444, Content::OfTask(task::comm)),
    ("mountinfo", 0o444, Content::OfTask(mounts::mountinfo)),
    ("mounts", 0o444, Content::OfTask(mounts::mounts)),
    ("stat", 0o444, Content::OfTask(task::stat)),
    ("status", 0o444, Content::OfTask(task::status)),
];
