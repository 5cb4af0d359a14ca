//! Files of /proc/net that count, and lists of groups (proc_pid_net(5)). What the stack does not count is 0.

use super::snmp::table;
use crate::Kernel;
use crate::socket::interface;
use std::fmt::Write;
use std::net::IpAddr;
use tcpip::{LinkCounters, LinkId, RouteKind};

/// What Linux counts of TCP beyond RFC 4022 and is told apart here.
pub(crate) fn netstat(k: &Kernel) -> String {
    let counters = k.net.stack.counters();
    let tcp = [
        ("SyncookiesSent", 0),
        ("SyncookiesRecv", 0),
        ("SyncookiesFailed", 0),
        ("ListenOverflows", counters.tcp_listen_overflows),
        ("ListenDrops", counters.tcp_listen_overflows),
        ("TCPRetransFail", 0),
    ];
    let sum =
        |what: fn(&LinkCounters) -> u64| k.net.stack.links().iter().map(|link| what(&link.counters)).sum();
    let ip = [
        ("InNoRoutes", 0),
        ("InTruncatedPkts", 0),
        ("InMcastPkts", sum(|c| c.multicast)),
        ("OutMcastPkts", 0),
        ("InBcastPkts", 0),
        ("OutBcastPkts", 0),
        ("InOctets", sum(|c| c.rx_bytes)),
        ("OutOctets", sum(|c| c.tx_bytes)),
    ];
    [table("TcpExt", &tcp), table("IpExt", &ip)].concat()
}

/// IPv6 is counted together with IPv4.
pub(crate) fn snmp6(_: &Kernel) -> String {
    const NAMES: &[&str] = &[
        "Ip6InReceives",
        "Ip6InHdrErrors",
        "Ip6InAddrErrors",
        "Ip6InDelivers",
        "Ip6OutForwDatagrams",
        "Ip6OutRequests",
        "Ip6OutNoRoutes",
        "Ip6ReasmReqds",
        "Ip6ReasmOKs",
        "Ip6ReasmFails",
        "Ip6FragOKs",
        "Ip6FragFails",
        "Ip6FragCreates",
        "Icmp6InMsgs",
        "Icmp6OutMsgs",
        "Udp6InDatagrams",
        "Udp6NoPorts",
        "Udp6InErrors",
        "Udp6OutDatagrams",
    ];
    NAMES.iter().map(|name| format!("{name:<32}\t0\n")).collect()
}

/// One processor, of which nothing is counted (net/core/net-procfs.c, softnet_seq_show).
pub(crate) fn softnet_stat(_: &Kernel) -> String {
    const FIELDS: usize = 15;
    format!("{}\n", ["00000000"; FIELDS].join(" "))
}

fn name_of(k: &Kernel, id: LinkId) -> String {
    k.net.stack.link(id).map(|link| link.name).unwrap_or_default()
}

/// IPv4's groups by interface (net/ipv4/igmp.c, igmp_mc_seq_show). All hosts is everybody's.
pub(crate) fn igmp(k: &Kernel) -> String {
    const ALL_HOSTS: [u8; 4] = [224, 0, 0, 1];
    let mut text = String::from("Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
    for link in k.net.stack.links() {
        let joined = k.net.stack.groups().into_iter().filter_map(|(id, group, users)| match group {
            IpAddr::V4(group) if id == link.id => Some((group.octets(), users)),
            _ => None,
        });
        let mut groups: Vec<_> = joined.filter(|(group, _)| *group != ALL_HOSTS).collect();
        groups.push((ALL_HOSTS, 1));
        let _ = writeln!(text, "{}\t{:<10}: {:5}      V3", link.id.index(), link.name, groups.len());
        for (group, users) in groups {
            let _ = writeln!(text, "\t\t\t\t{:08X} {users:5} 0:00000000\t\t0", u32::from_ne_bytes(group));
        }
    }
    text
}

/// IPv6's groups that were joined (net/ipv6/mcast.c, igmp6_mc_seq_show).
pub(crate) fn igmp6(k: &Kernel) -> String {
    let mut text = String::new();
    for (id, group, users) in k.net.stack.groups() {
        if let IpAddr::V6(group) = group {
            let (index, name) = (id.index(), name_of(k, id));
            let _ = writeln!(text, "{index:<4} {name:<15} {:032x} {users:5} 00000004 0", group.to_bits());
        }
    }
    text
}

/// Ethernet's groups by interface (net/core/dev_addr_lists.c).
pub(crate) fn dev_mcast(k: &Kernel) -> String {
    let mut text = String::new();
    for (id, group, users) in k.net.stack.groups().into_iter().filter(|(id, ..)| *id != LinkId::LO) {
        let mac = match group {
            IpAddr::V4(group) => format!("01005e{:06x}", group.to_bits() & 0x7f_ffff),
            IpAddr::V6(group) => format!("3333{:08x}", group.to_bits() & 0xffff_ffff),
        };
        let (index, name) = (id.index(), name_of(k, id));
        let _ = writeln!(text, "{index:<4} {name:<15} {users:<5} 0     {mac}");
    }
    text
}

/// IPv6's routes (net/ipv6/route.c, rt6_info_route).
pub(crate) fn ipv6_route(k: &Kernel) -> String {
    const RTF_UP: u32 = 1;
    const RTF_GATEWAY: u32 = 2;
    const RTF_REJECT: u32 = 0x200;
    const RTF_LOCAL: u32 = 0x8000_0000;
    let mut text = String::new();
    for route in interface::routes(&k.net.stack) {
        let IpAddr::V6(dst) = route.dst else { continue };
        let gateway = match route.gateway {
            Some(IpAddr::V6(gateway)) => gateway.to_bits(),
            _ => 0,
        };
        let kind = match route.kind {
            RouteKind::Local => RTF_LOCAL,
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => RTF_REJECT,
            _ => 0,
        };
        let flags = RTF_UP | kind | if gateway == 0 { 0 } else { RTF_GATEWAY };
        let name = route.link.map_or_else(|| "lo".to_owned(), |id| name_of(k, id));
        let _ = writeln!(
            text,
            "{:032x} {:02x} {:032x} 00 {gateway:032x} {:08x} 00000001 00000000 {flags:08x} {name:>8}",
            dst.to_bits(),
            route.prefix_len,
            0,
            route.metric,
        );
    }
    text
}

/// Packet sockets are not listed: `rump sockstat` shows them.
pub(crate) fn packet(_: &Kernel) -> String {
    "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n".to_owned()
}
