//! `IPPROTO_IPV6` (ipv6(7)).

use super::ip::{byte, never_sent};
use super::multicast::{self, Change};
use super::raw;
use super::{Row, Target, Value, flag, int, int_bytes, own};
use abi::Errno;
use abi::raw::net::*;
use tcpip::Opt;

const LEVEL: u32 = IPPROTO_IPV6 as u32;

// linux/in6.h
const IPV6_ROUTER_ALERT_ISOLATE: u32 = 30;
const IPV6_RECVERR_RFC4884: u32 = 31;
const IPV6_FLOWINFO_SEND: u32 = 33;
const IPV6_UNICAST_IF: u32 = 76;
const IPV6_RECVFRAGSIZE: u32 = 77;

/// Options whose value may be shorter than an `int`: that is 0 then (net/ipv6/ipv6_sockglue.c).
pub(super) const MAY_BE_SHORT: &[u32] = &[IPV6_DONTFRAG, IPV6_AUTOFLOWLABEL, IPV6_RECVFRAGSIZE];

pub(super) const ROWS: &[Row] = &[
    own(IPV6_V6ONLY, Some(v6only), Some(set_v6only)),
    own(IPV6_UNICAST_HOPS, Some(|t| remembered(t, IPV6_UNICAST_HOPS, hops_default(t))), Some(set_hops)),
    own(IPV6_TCLASS, Some(|t| remembered(t, IPV6_TCLASS, 0)), Some(set_tclass)),
    own(IPV6_MULTICAST_HOPS, Some(|t| remembered(t, IPV6_MULTICAST_HOPS, 1)), Some(set_multicast_hops)),
    Row {
        name: IPV6_MULTICAST_LOOP,
        value: Value::Int { default: 1, min: 0, max: 1, stack: Some(|on| Opt::MulticastLoop6(on != 0)) },
    },
    Row { name: IPV6_MULTICAST_ALL, value: Value::Flag { default: true, stack: Some(Opt::MulticastAll6) } },
    own(IPV6_MULTICAST_IF, Some(multicast::get_interface6), Some(multicast::set_interface6)),
    own(IPV6_CHECKSUM, Some(raw::checksum), Some(raw::set_checksum)),
    Row {
        name: IPV6_MTU_DISCOVER,
        value: Value::Int { default: 1, min: 0, max: 5, stack: Some(|how| Opt::MtuDiscover6(byte(how))) },
    },
    own(IPV6_MTU, Some(super::ip::mtu), None),
    Row { name: IPV6_RECVERR, value: Value::Flag { default: false, stack: Some(Opt::RecvErr6) } },
    flag(IPV6_RECVPKTINFO),
    flag(IPV6_RECVHOPLIMIT),
    flag(IPV6_RECVTCLASS),
    flag(IPV6_ORIGDSTADDR),
    // Packets with such headers are received without them, and a path's MTU changes without a message.
    flag(IPV6_RECVHOPOPTS),
    flag(IPV6_RECVDSTOPTS),
    flag(IPV6_RECVRTHDR),
    flag(IPV6_RECVPATHMTU),
    never_sent(IPV6_HOPOPTS),
    never_sent(IPV6_DSTOPTS),
    never_sent(IPV6_RTHDR),
    never_sent(IPV6_RTHDRDSTOPTS),
    Row { name: IPV6_DONTFRAG, value: Value::Flag { default: false, stack: Some(Opt::DontFrag6) } },
    Row { name: IPV6_AUTOFLOWLABEL, value: Value::Flag { default: true, stack: None } },
    int(IPV6_MINHOPCOUNT, 0, 0, 255),
    Row { name: IPV6_FREEBIND, value: Value::Flag { default: false, stack: Some(Opt::FreeBind) } },
    own(
        IPV6_TRANSPARENT,
        Some(|t| remembered(t, IPV6_TRANSPARENT, 0)),
        Some(|t, v| super::ip::set_transparent(t, (LEVEL, IPV6_TRANSPARENT), v)),
    ),
    own(
        IPV6_UNICAST_IF,
        Some(|t| remembered(t, IPV6_UNICAST_IF, 0)),
        Some(|t, v| super::ip::set_interface(t, (LEVEL, IPV6_UNICAST_IF), v)),
    ),
    flag(IPV6_2292PKTINFO),
    flag(IPV6_2292HOPLIMIT),
    flag(IPV6_2292HOPOPTS),
    flag(IPV6_2292DSTOPTS),
    flag(IPV6_2292RTHDR),
    flag(IPV6_FLOWINFO),
    flag(IPV6_FLOWINFO_SEND),
    flag(IPV6_ROUTER_ALERT_ISOLATE),
    int(IPV6_RECVERR_RFC4884, 0, 0, 1),
    flag(IPV6_RECVFRAGSIZE),
    own(IPV6_ADD_MEMBERSHIP, None, Some(|t, v| multicast::ipv6(t, v, Change::Join))),
    own(IPV6_DROP_MEMBERSHIP, None, Some(|t, v| multicast::ipv6(t, v, Change::Leave))),
];

fn remembered(target: &mut Target<'_>, name: u32, default: i32) -> Result<Vec<u8>, Errno> {
    Ok(int_bytes(target.common().value(LEVEL, name).unwrap_or(default)))
}

/// `net.ipv6.conf.default.hop_limit`.
fn hops_default(target: &Target<'_>) -> i32 {
    target.k.net.stack.settings().hop_limit.into()
}

/// -1 is the default again.
fn set_hops(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let asked = super::number((LEVEL, IPV6_UNICAST_HOPS), value)?;
    let hops = if asked == -1 { hops_default(target) } else { asked };
    let hops = u8::try_from(hops).map_err(|_| Errno::EINVAL)?;
    // 0 is taken, but what is sent over a link needs one.
    super::apply(target, Some(Opt::Ttl(hops.max(1))))?;
    target.common().remember(LEVEL, IPV6_UNICAST_HOPS, i32::from(hops));
    Ok(())
}

/// -1 is the default again.
fn set_tclass(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let asked = super::number((LEVEL, IPV6_TCLASS), value)?;
    let class = if asked == -1 { 0 } else { asked };
    let class = u8::try_from(class).map_err(|_| Errno::EINVAL)?;
    // The ECN bits of a TCP socket are TCP's own.
    let class = if target.common().kind == SOCK_STREAM { class & !3 } else { class };
    super::apply(target, Some(Opt::Tos(class)))?;
    target.common().remember(LEVEL, IPV6_TCLASS, i32::from(class));
    Ok(())
}

/// Streams go to no groups.
fn set_multicast_hops(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    if target.common().kind == SOCK_STREAM {
        return Err(Errno::ENOPROTOOPT);
    }
    let asked = super::number((LEVEL, IPV6_MULTICAST_HOPS), value)?;
    multicast::set_ttl(target, (LEVEL, IPV6_MULTICAST_HOPS), asked, Opt::MulticastTtl6)
}

/// bind(2) sets it as well.
fn v6only(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    Ok(int_bytes(target.k.net.stack.options(id)?.v6only.into()))
}

fn set_v6only(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let on = super::number((LEVEL, IPV6_V6ONLY), value)? != 0;
    super::apply(target, Some(Opt::V6Only(on)))
}
