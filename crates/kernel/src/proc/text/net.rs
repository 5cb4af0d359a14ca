//! /proc/net (proc_pid_net(5)).

use crate::Kernel;
use crate::socket::interface;
use crate::socket::inventory::{InetSocket, TCP_ESTABLISHED, TCP_LISTEN};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tcpip::{Domain, NeighbourState, Protocol, Route, RouteKind};

/// `SO_ACCEPTCON`: the socket listens.
const ACCEPTS: u32 = 0x1_0000;
/// `SS_UNCONNECTED`, `SS_CONNECTED`.
const UNCONNECTED: u8 = 1;
const CONNECTED: u8 = 3;

pub(crate) fn tcp(k: &Kernel) -> String {
    inet(&k.inet_sockets(Protocol::Tcp, Domain::Inet), TCP_HEAD, "", TCP_LINE)
}

pub(crate) fn tcp6(k: &Kernel) -> String {
    inet(&k.inet_sockets(Protocol::Tcp, Domain::Inet6), TCP6_HEAD, "", 0)
}

pub(crate) fn udp(k: &Kernel) -> String {
    datagrams(k, Protocol::Udp, Domain::Inet)
}

pub(crate) fn udp6(k: &Kernel) -> String {
    datagrams(k, Protocol::Udp, Domain::Inet6)
}

pub(crate) fn udplite(k: &Kernel) -> String {
    datagrams(k, Protocol::UdpLite, Domain::Inet)
}

pub(crate) fn udplite6(k: &Kernel) -> String {
    datagrams(k, Protocol::UdpLite, Domain::Inet6)
}

/// Raw sockets, their protocols in the ports' place.
pub(crate) fn raw(k: &Kernel) -> String {
    datagrams(k, Protocol::Raw, Domain::Inet)
}

pub(crate) fn raw6(k: &Kernel) -> String {
    datagrams(k, Protocol::Raw, Domain::Inet6)
}

/// Ping sockets, their identifiers in the ports' place.
pub(crate) fn icmp(k: &Kernel) -> String {
    datagrams(k, Protocol::Ping, Domain::Inet)
}

pub(crate) fn icmp6(k: &Kernel) -> String {
    datagrams(k, Protocol::Ping, Domain::Inet6)
}

fn datagrams(k: &Kernel, protocol: Protocol, domain: Domain) -> String {
    const TAIL: &str = " 2 0000000000000000 0";
    let sockets = k.inet_sockets(protocol, domain);
    match (domain, protocol) {
        (Domain::Inet6, _) => inet(&sockets, UDP6_HEAD, TAIL, 0),
        (Domain::Inet, Protocol::Raw) => inet(&sockets, RAW_HEAD, TAIL, 0),
        (Domain::Inet, Protocol::Ping) => inet(&sockets, RAW_HEAD, TAIL, UDP_LINE),
        (Domain::Inet, _) => inet(&sockets, UDP_HEAD, TAIL, UDP_LINE),
    }
}

const TCP_HEAD: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const TCP6_HEAD: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
                         tm->when retrnsmt   uid  timeout inode";
const UDP_HEAD: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode \
                        ref pointer drops";
const RAW_HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode \
                        ref pointer drops";
const UDP6_HEAD: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
                         tm->when retrnsmt   uid  timeout inode ref pointer drops";
/// Lines of /proc/net/tcp, udp and icmp are padded (net/ipv4/tcp_ipv4.c, `TMPSZ`).
const TCP_LINE: usize = 149;
const UDP_LINE: usize = 127;

fn inet(sockets: &[InetSocket], head: &str, tail: &str, width: usize) -> String {
    let mut text = format!("{head:width$}\n");
    for (at, socket) in sockets.iter().enumerate() {
        let (local, remote) = (end(socket.info.local), end(socket.info.remote));
        // A listener's backlog is no queue of bytes.
        let sent = if socket.state == TCP_LISTEN { 0 } else { socket.info.send_queue };
        let line = format!(
            "{at:4}: {local} {remote} {:02X} {sent:08X}:{:08X} 00:00000000 00000000 {:5}        0 {}{tail}",
            socket.state, socket.info.recv_queue, socket.uid, socket.inode
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line:width$}");
    }
    text
}

/// Address and port: each word of the address as a number of this machine, as Linux prints it.
fn end(addr: SocketAddr) -> String {
    let mut text = String::new();
    let bytes = match addr.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    for word in bytes.as_chunks::<4>().0 {
        let _ = write!(text, "{:08X}", u32::from_ne_bytes(*word));
    }
    let _ = write!(text, ":{:04X}", addr.port());
    text
}

pub(crate) fn unix(k: &Kernel) -> String {
    let mut text = String::from("Num       RefCount Protocol Flags    Type St Inode Path\n");
    for socket in k.unix_sockets() {
        let flags = if socket.state == TCP_LISTEN { ACCEPTS } else { 0 };
        let state = if socket.state == TCP_ESTABLISHED { CONNECTED } else { UNCONNECTED };
        let _ = write!(
            text,
            "0000000000000000: 00000002 00000000 {flags:08X} {:04X} {state:02X} {:5}",
            socket.kind, socket.inode
        );
        if !socket.name.is_empty() {
            // Abstract names are shown with an @ for each NUL.
            let name = String::from_utf8_lossy(&socket.name).replace('\0', "@").replace('\n', "?");
            let _ = write!(text, " {name}");
        }
        text.push('\n');
    }
    text
}

/// Counts per interface (net/core/net-procfs.c).
pub(crate) fn dev(k: &Kernel) -> String {
    let mut text = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier \
         compressed\n",
    );
    for link in k.net.stack.links() {
        let c = link.counters;
        let receive = format!(
            "{:7} {:7} {:4} {:4}    0     0          0 {:9}",
            c.rx_bytes, c.rx_packets, c.rx_errors, c.rx_dropped, c.multicast
        );
        let transmit = format!(
            " {:8} {:7} {:4} {:4}    0     0       0          0",
            c.tx_bytes, c.tx_packets, c.tx_errors, c.tx_dropped
        );
        let _ = writeln!(text, "{:>6}: {receive}{transmit}", link.name);
    }
    text
}

/// IPv4's table main (net/ipv4/fib_trie.c, fib_route_seq_show).
pub(crate) fn route(k: &Kernel) -> String {
    const WIDTH: usize = 127;
    const RTF_UP: u32 = 1;
    const RTF_GATEWAY: u32 = 2;
    const RTF_HOST: u32 = 4;
    const RTF_REJECT: u32 = 0x200;
    let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
    let mut text = format!("{head:WIDTH$}\n");
    let number = |ip: Ipv4Addr| u32::from_ne_bytes(ip.octets());
    for route in interface::routes(&k.net.stack).iter().filter(|route| route.table == Route::TABLE_MAIN) {
        let IpAddr::V4(dst) = route.dst else { continue };
        let gateway = match route.gateway {
            Some(IpAddr::V4(gateway)) => gateway,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let name = route.link.and_then(|id| k.net.stack.link(id).ok()).map(|link| link.name);
        let flags = RTF_UP
            | if route.gateway.is_some() { RTF_GATEWAY } else { 0 }
            | if route.prefix_len == 32 { RTF_HOST } else { 0 }
            | if matches!(route.kind, RouteKind::Unreachable | RouteKind::Prohibit) { RTF_REJECT } else { 0 };
        let mask = Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(route.prefix_len)).unwrap_or(0));
        let line = format!(
            "{}\t{:08X}\t{:08X}\t{flags:04X}\t0\t0\t{}\t{:08X}\t{}\t0\t0",
            name.as_deref().unwrap_or("*"),
            number(dst),
            number(gateway),
            route.metric,
            number(mask),
            route.mtu.map_or(0, |mtu| mtu.saturating_sub(40)),
        );
        let _ = writeln!(text, "{line:WIDTH$}");
    }
    text
}

/// Neighbours of IPv4 (net/ipv4/arp.c, arp_format_neigh_entry).
pub(crate) fn arp(k: &Kernel) -> String {
    const ATF_COM: u32 = 2;
    const ATF_PERM: u32 = 4;
    let mut text =
        String::from("IP address       HW type     Flags       HW address            Mask     Device\n");
    for neighbour in k.net.stack.neighbours() {
        let IpAddr::V4(ip) = neighbour.ip else { continue };
        let Ok(link) = k.net.stack.link(neighbour.link) else { continue };
        let flags = match neighbour.state {
            NeighbourState::Permanent => ATF_COM | ATF_PERM,
            NeighbourState::Incomplete | NeighbourState::Failed => 0,
            _ => ATF_COM,
        };
        let mac = neighbour.mac.filter(|_| flags != 0).unwrap_or_default().to_string();
        let _ = writeln!(
            text,
            "{:<16} 0x{:<10x}0x{flags:<10x}{mac:<17}     *        {}",
            ip.to_string(),
            1,
            link.name
        );
    }
    text
}

pub(crate) fn if_inet6(k: &Kernel) -> String {
    const SCOPE_HOST: u8 = 0x10;
    const SCOPE_LINK: u8 = 0x20;
    /// `IFA_F_PERMANENT`
    const PERMANENT: u8 = 0x80;
    let mut text = String::new();
    for link in k.net.stack.links() {
        for (addr, prefix) in &link.addrs {
            let IpAddr::V6(addr) = addr else { continue };
            let scope = match addr {
                addr if addr.is_loopback() => SCOPE_HOST,
                addr if addr.is_unicast_link_local() => SCOPE_LINK,
                _ => 0,
            };
            let digits = addr.to_bits();
            let _ = writeln!(
                text,
                "{digits:032x} {:02x} {prefix:02x} {scope:02x} {PERMANENT:02x} {:>8}",
                link.id.index(),
                link.name
            );
        }
    }
    text
}

pub(crate) fn sockstat(k: &Kernel) -> String {
    let tcp = k.inet_sockets(Protocol::Tcp, Domain::Inet);
    let tcp6 = k.inet_sockets(Protocol::Tcp, Domain::Inet6);
    let waiting = tcp.iter().chain(&tcp6).filter(|socket| socket.info.state == "TIME-WAIT").count();
    // Those that a listener holds have no inode either, but are not being closed.
    let closing = |socket: &&InetSocket| {
        ["FIN-WAIT-1", "FIN-WAIT-2", "LAST-ACK", "CLOSING"].contains(&socket.info.state)
    };
    let orphans = tcp.iter().chain(&tcp6).filter(|socket| socket.inode == 0).filter(closing).count();
    let held = |sockets: &[InetSocket]| sockets.iter().filter(|socket| socket.inode != 0).count();
    format!(
        "sockets: used {}\nTCP: inuse {} orphan {orphans} tw {waiting} alloc {} mem 0\nUDP: inuse {} mem 0\n\
         UDPLITE: inuse {}\nRAW: inuse {}\nFRAG: inuse 0 memory 0\n",
        k.sockets_used(),
        held(&tcp),
        held(&tcp) + held(&tcp6),
        held(&k.inet_sockets(Protocol::Udp, Domain::Inet)),
        held(&k.inet_sockets(Protocol::UdpLite, Domain::Inet)),
        held(&k.inet_sockets(Protocol::Raw, Domain::Inet)),
    )
}

pub(crate) fn sockstat6(k: &Kernel) -> String {
    let held =
        |protocol| k.inet_sockets(protocol, Domain::Inet6).iter().filter(|socket| socket.inode != 0).count();
    format!(
        "TCP6: inuse {}\nUDP6: inuse {}\nUDPLITE6: inuse {}\nRAW6: inuse {}\nFRAG6: inuse 0 memory 0\n",
        held(Protocol::Tcp),
        held(Protocol::Udp),
        held(Protocol::UdpLite),
        held(Protocol::Raw)
    )
}
