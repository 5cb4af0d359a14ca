//! What there is in /proc: one row per file.

use super::text::{counts, mounts, net, snmp, system, task};
use crate::Kernel;
use crate::nfsd;
use crate::process::{Places, Process};
use crate::sysctl;
use vfs::Location;

/// What a name stands for.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// A directory; those above a row's name need no row of their own.
    Directory,
    /// A symbolic link that leads here.
    Link(&'static str),
    /// A symbolic link that leads to the directory of the process that looks.
    Current,
    /// A symbolic link to the root or to the working directory of the process.
    Place(fn(Places) -> Location),
    /// The directory of the process's descriptors: a link to each one's file.
    Descriptors,
    /// The directory of what there is to say of each (proc_pid_fdinfo(5)).
    DescriptorInfos,
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
    ("cmdline", 0o444, Content::Text(system::cmdline)),
    ("cpuinfo", 0o444, Content::Text(system::cpuinfo)),
    ("devices", 0o444, Content::Text(system::devices)),
    ("filesystems", 0o444, Content::Text(system::filesystems)),
    ("fs/nfsd/exports", 0o444, Content::Text(nfsd::exports)),
    ("fs/nfsd/portlist", 0o444, Content::Text(nfsd::portlist)),
    ("fs/nfsd/threads", 0o444, Content::Text(nfsd::threads)),
    ("fs/nfsd/versions", 0o444, Content::Text(nfsd::versions)),
    ("loadavg", 0o444, Content::Text(system::loadavg)),
    ("meminfo", 0o444, Content::Text(system::meminfo)),
    ("mounts", 0o777, Content::Link("self/mounts")),
    ("net/arp", 0o444, Content::Text(net::arp)),
    ("net/dev", 0o444, Content::Text(net::dev)),
    ("net/dev_mcast", 0o444, Content::Text(counts::dev_mcast)),
    ("net/icmp", 0o444, Content::Text(net::icmp)),
    ("net/icmp6", 0o444, Content::Text(net::icmp6)),
    ("net/igmp", 0o444, Content::Text(counts::igmp)),
    ("net/igmp6", 0o444, Content::Text(counts::igmp6)),
    ("net/ipv6_route", 0o444, Content::Text(counts::ipv6_route)),
    ("net/netstat", 0o444, Content::Text(counts::netstat)),
    ("net/packet", 0o444, Content::Text(counts::packet)),
    ("net/snmp6", 0o444, Content::Text(counts::snmp6)),
    ("net/softnet_stat", 0o444, Content::Text(counts::softnet_stat)),
    ("net/if_inet6", 0o444, Content::Text(net::if_inet6)),
    ("net/raw", 0o444, Content::Text(net::raw)),
    ("net/raw6", 0o444, Content::Text(net::raw6)),
    ("net/route", 0o444, Content::Text(net::route)),
    ("net/snmp", 0o444, Content::Text(snmp::snmp)),
    ("net/sockstat", 0o444, Content::Text(net::sockstat)),
    ("net/sockstat6", 0o444, Content::Text(net::sockstat6)),
    ("net/tcp", 0o444, Content::Text(net::tcp)),
    ("net/tcp6", 0o444, Content::Text(net::tcp6)),
    ("net/udp", 0o444, Content::Text(net::udp)),
    ("net/udp6", 0o444, Content::Text(net::udp6)),
    ("net/udplite", 0o444, Content::Text(net::udplite)),
    ("net/udplite6", 0o444, Content::Text(net::udplite6)),
    ("net/unix", 0o444, Content::Text(net::unix)),
    ("partitions", 0o444, Content::Text(system::partitions)),
    ("self", 0o777, Content::Current),
    ("stat", 0o444, Content::Text(system::stat)),
    ("swaps", 0o444, Content::Text(system::swaps)),
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
    ("cwd", 0o777, Content::Place(|places| places.cwd)),
    ("fd", 0o500, Content::Descriptors),
    ("fdinfo", 0o555, Content::DescriptorInfos),
    ("limits", 0o444, Content::OfTask(task::limits)),
    ("mountinfo", 0o444, Content::OfTask(|k, process| mounts::mountinfo(k, process, b""))),
    ("mounts", 0o444, Content::OfTask(|k, process| mounts::mounts(k, process, b""))),
    ("net", 0o777, Content::Link("../net")),
    ("root", 0o777, Content::Place(|places| places.root)),
    ("stat", 0o444, Content::OfTask(task::stat)),
    ("statm", 0o444, Content::OfTask(task::statm)),
    ("status", 0o444, Content::OfTask(task::status)),
];
