//! The control messages that a received datagram comes with, as far as options ask for them (ip(7), ipv6(7),
//! socket(7)).

use crate::Kernel;
use abi::layout::{Timespec, Timeval};
use abi::raw::net::{
    AF_INET, AF_INET6, IP_ORIGDSTADDR, IP_PKTINFO, IP_RECVERR, IP_RECVOPTS, IP_RECVTOS, IP_RECVTTL,
    IP_RETOPTS, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_2292HOPLIMIT, IPV6_2292PKTINFO, IPV6_HOPLIMIT,
    IPV6_ORIGDSTADDR, IPV6_PKTINFO, IPV6_RECVERR, IPV6_RECVHOPLIMIT, IPV6_RECVPKTINFO, IPV6_RECVTCLASS,
    IPV6_TCLASS, SOL_SOCKET,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tcpip::{Origin, QueuedError, Received};
use zerocopy::IntoBytes;

use super::option::udp::{LEVEL as UDP, UDP_GRO};
use super::{Common, Control, address};

/// `SO_TIMESTAMP`, which is also the type of its control message (asm-generic/socket.h).
pub(crate) const SO_TIMESTAMP: u32 = 29;
/// `SO_TIMESTAMPNS`.
pub(crate) const SO_TIMESTAMPNS: u32 = 35;

/// `SO_TIMESTAMPING`.
pub(crate) const SO_TIMESTAMPING: u32 = 37;
/// `SOF_TIMESTAMPING_RX_SOFTWARE` and `SOF_TIMESTAMPING_SOFTWARE`: what came in is stamped, and the stamp is told.
const STAMPS_IN: i32 = 1 << 3 | 1 << 4;

/// What the options of a socket with this port ask for.
pub(super) fn of_datagram(k: &Kernel, common: &Common, got: &Received, port: u16) -> Vec<Control> {
    let mut messages = timestamps(k, common, got.at_ns);
    let v4 = IPPROTO_IP as u32;
    let v6 = IPPROTO_IPV6 as u32;
    let mut add = |wanted: bool, level: u32, kind: u32, data: &[u8]| {
        if wanted {
            messages.push(Control::Bytes { level, kind, data: data.to_vec() });
        }
    };
    if let Some(size) = got.segment_size {
        add(common.flag(UDP, UDP_GRO), UDP, UDP_GRO, i32::from(size).as_bytes());
    }
    if common.family == AF_INET {
        add(common.flag(v4, IP_PKTINFO), v4, IP_PKTINFO, &pktinfo4(got));
        add(common.flag(v4, IP_RECVTTL), v4, IP_TTL, i32::from(got.ttl).as_bytes());
        add(common.flag(v4, IP_RECVTOS), v4, IP_TOS, &[got.tos]);
        let options = &got.options;
        add(common.flag(v4, IP_RECVOPTS) && !options.is_empty(), v4, IP_RECVOPTS, options.as_bytes());
        add(common.flag(v4, IP_RETOPTS) && !options.is_empty(), v4, IP_RETOPTS, options.echo().as_bytes());
        add(
            common.flag(v4, IP_ORIGDSTADDR),
            v4,
            IP_ORIGDSTADDR,
            &address::emit(AF_INET, (got.to, port).into()),
        );
    } else {
        add(common.flag(v6, IPV6_RECVPKTINFO), v6, IPV6_PKTINFO, &pktinfo6(got));
        add(common.flag(v6, IPV6_2292PKTINFO), v6, IPV6_2292PKTINFO, &pktinfo6(got));
        add(common.flag(v6, IPV6_2292HOPLIMIT), v6, IPV6_2292HOPLIMIT, i32::from(got.ttl).as_bytes());
        add(common.flag(v6, IPV6_RECVHOPLIMIT), v6, IPV6_HOPLIMIT, i32::from(got.ttl).as_bytes());
        add(common.flag(v6, IPV6_RECVTCLASS), v6, IPV6_TCLASS, i32::from(got.tos).as_bytes());
        add(
            common.flag(v6, IPV6_ORIGDSTADDR),
            v6,
            IPV6_ORIGDSTADDR,
            &address::emit(AF_INET6, (got.to, port).into()),
        );
    }
    messages
}

/// `SCM_TIMESTAMP`, `SCM_TIMESTAMPNS` of what came in at `at_ns` on the monotonic clock.
pub(super) fn timestamps(k: &Kernel, common: &Common, at_ns: u64) -> Vec<Control> {
    const NS: u64 = 1_000_000_000;
    let real_ns = k.now.real_ns.saturating_sub(k.now.mono_ns.saturating_sub(at_ns));
    let (sec, ns) = (real_ns / NS, real_ns % NS);
    let (sec, ns) = (i64::try_from(sec).unwrap_or(0), i64::try_from(ns).unwrap_or(0));
    let mut messages = Vec::new();
    if common.flag(SOL_SOCKET, SO_TIMESTAMPNS) {
        let data = Timespec { tv_sec: sec, tv_nsec: ns }.as_bytes().to_vec();
        messages.push(Control::Bytes { level: SOL_SOCKET, kind: SO_TIMESTAMPNS, data });
    } else if common.flag(SOL_SOCKET, SO_TIMESTAMP) {
        let data = Timeval { tv_sec: sec, tv_usec: ns / 1000 }.as_bytes().to_vec();
        messages.push(Control::Bytes { level: SOL_SOCKET, kind: SO_TIMESTAMP, data });
    }
    if common.value(SOL_SOCKET, SO_TIMESTAMPING).unwrap_or(0) & STAMPS_IN == STAMPS_IN {
        // struct scm_timestamping: the second is unused, the third a card's.
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let stamps = [Timespec { tv_sec: sec, tv_nsec: ns }, none, none];
        messages.push(Control::Bytes {
            level: SOL_SOCKET,
            kind: SO_TIMESTAMPING,
            data: stamps.as_bytes().to_vec(),
        });
    }
    messages
}

/// `IP_RECVERR`, `IPV6_RECVERR`: a `struct sock_extended_err` and the address of who told.
pub(super) fn of_error(error: &QueuedError) -> Control {
    /// `SO_EE_ORIGIN_LOCAL`, `SO_EE_ORIGIN_ICMP`, `SO_EE_ORIGIN_ICMP6` (linux/errqueue.h).
    const ORIGIN: [u8; 3] = [1, 2, 3];
    let (level, kind, origin, family) = match error.offender {
        SocketAddr::V4(_) => (IPPROTO_IP as u32, IP_RECVERR, ORIGIN[1], AF_INET),
        SocketAddr::V6(_) => (IPPROTO_IPV6 as u32, IPV6_RECVERR, ORIGIN[2], AF_INET6),
    };
    let origin = if error.origin == Origin::Local { ORIGIN[0] } else { origin };
    let mut data = error.errno.number().to_ne_bytes().to_vec();
    data.extend_from_slice(&[origin, error.kind, error.code, 0]);
    data.extend_from_slice(&error.info.to_ne_bytes());
    // ee_data.
    data.extend_from_slice(&[0; 4]);
    data.extend_from_slice(&address::emit(family, error.offender));
    Control::Bytes { level, kind, data }
}

/// `struct in_pktinfo`: interface, local address, destination address.
fn pktinfo4(got: &Received) -> Vec<u8> {
    let to = match got.to {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED),
    };
    [got.link.index().to_ne_bytes(), to.octets(), to.octets()].concat()
}

/// `struct in6_pktinfo`: destination address, interface.
fn pktinfo6(got: &Received) -> Vec<u8> {
    let to: Ipv6Addr = match got.to {
        IpAddr::V6(ip) => ip,
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
    };
    let mut bytes = to.octets().to_vec();
    bytes.extend_from_slice(&got.link.index().to_ne_bytes());
    bytes
}
