//! `IPPROTO_IP` (ip(7)).

use super::multicast::{self, Change};
use super::raw;
use super::{Row, Target, Value, flag, int, int_bytes, own};
use abi::Errno;
use abi::raw::net::*;
use tcpip::{IpOptions, LinkId, Opt, SourceChange};

const LEVEL: u32 = IPPROTO_IP as u32;

/// Options whose value has at least one byte.
pub(super) const NOT_EMPTY: &[u32] =
    &[IP_TTL, IP_MINTTL, IP_FREEBIND, IP_TRANSPARENT, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_ALL];

// linux/in.h
const IP_PASSSEC: u32 = 18;
const IP_NODEFRAG: u32 = 22;
const IP_CHECKSUM: u32 = 23;
const IP_RECVFRAGSIZE: u32 = 25;
const IP_RECVERR_RFC4884: u32 = 26;
const IP_UNICAST_IF: u32 = 50;

pub(super) const ROWS: &[Row] = &[
    own(IP_TOS, Some(|t| remembered(t, IP_TOS, 0)), Some(set_tos)),
    own(IP_TTL, Some(|t| remembered(t, IP_TTL, ttl_default(t))), Some(set_ttl)),
    own(IP_OPTIONS, Some(ip_options), Some(set_ip_options)),
    flag(IP_RECVOPTS),
    flag(IP_RETOPTS),
    flag(IP_PKTINFO),
    Row {
        name: IP_MTU_DISCOVER,
        value: Value::Int { default: 1, min: 0, max: 5, stack: Some(|how| Opt::MtuDiscover4(byte(how))) },
    },
    Row { name: IP_RECVERR, value: Value::Flag { default: false, stack: Some(Opt::RecvErr4) } },
    flag(IP_PASSSEC),
    flag(IP_CHECKSUM),
    own(IP_RECVFRAGSIZE, Some(|t| remembered(t, IP_RECVFRAGSIZE, 0)), Some(set_recv_frag_size)),
    int(IP_RECVERR_RFC4884, 0, 0, 1),
    own(IP_NODEFRAG, Some(|t| remembered(t, IP_NODEFRAG, 0)), None),
    own(IP_UNICAST_IF, Some(|t| remembered(t, IP_UNICAST_IF, 0)), Some(set_unicast_if)),
    flag(IP_RECVTTL),
    flag(IP_RECVTOS),
    flag(IP_ORIGDSTADDR),
    own(IP_MTU, Some(mtu), None),
    Row { name: IP_FREEBIND, value: Value::Flag { default: false, stack: Some(Opt::FreeBind) } },
    own(
        IP_TRANSPARENT,
        Some(|t| remembered(t, IP_TRANSPARENT, 0)),
        Some(|t, v| set_transparent(t, (LEVEL, IP_TRANSPARENT), v)),
    ),
    int(IP_MINTTL, 0, 0, 255),
    flag(IP_BIND_ADDRESS_NO_PORT),
    own(IP_MULTICAST_TTL, Some(|t| remembered(t, IP_MULTICAST_TTL, 1)), Some(set_multicast_ttl)),
    Row { name: IP_MULTICAST_LOOP, value: Value::Flag { default: true, stack: Some(Opt::MulticastLoop4) } },
    own(IP_MULTICAST_ALL, Some(multicast_all), Some(set_multicast_all)),
    own(IP_MULTICAST_IF, Some(multicast::get_interface), Some(multicast::set_interface)),
    own(IP_ADD_MEMBERSHIP, None, Some(|t, v| multicast::ipv4(t, v, Change::Join))),
    own(IP_DROP_MEMBERSHIP, None, Some(|t, v| multicast::ipv4(t, v, Change::Leave))),
    own(IP_ADD_SOURCE_MEMBERSHIP, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Join))),
    own(IP_DROP_SOURCE_MEMBERSHIP, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Leave))),
    own(IP_BLOCK_SOURCE, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Block))),
    own(IP_UNBLOCK_SOURCE, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Unblock))),
    own(IP_HDRINCL, Some(raw::header_included), Some(raw::set_header_included)),
];

/// Those of the headers of datagrams that are sent (ip(7)).
fn ip_options(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    Ok(target.k.net.stack.ip_options(id)?.as_bytes().to_vec())
}

fn set_ip_options(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    let options = IpOptions::new(value, target.is_root())?;
    target.k.net.stack.set_ip_options(id, options)
}

/// Extension headers are never sent: none is what there is, and all that can be set.
pub(super) const fn never_sent(name: u32) -> Row {
    own(name, Some(|_| Ok(Vec::new())), Some(|_, v| if v.is_empty() { Ok(()) } else { Err(Errno::EINVAL) }))
}

fn remembered(target: &mut Target<'_>, name: u32, default: i32) -> Result<Vec<u8>, Errno> {
    Ok(int_bytes(target.common().value(LEVEL, name).unwrap_or(default)))
}

/// One byte of whatever was given. The ECN bits of a TCP socket are TCP's own (net/ipv4/ip_sockglue.c,
/// __ip_sock_set_tos).
fn set_tos(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let [tos, ..] = super::number((LEVEL, IP_TOS), value)?.to_le_bytes();
    let tos = if target.common().kind == SOCK_STREAM { tos & !3 } else { tos };
    super::apply(target, Some(Opt::Tos(tos)))?;
    target.common().remember(LEVEL, IP_TOS, i32::from(tos));
    target.common().remember(SOL_SOCKET, SO_PRIORITY, priority(tos));
    Ok(())
}

/// `SO_PRIORITY` that goes with a type of service (net/ipv4/route.c, ip_tos2prio): bulk is 2, interactive 6, bulk that is urgent 4.
fn priority(tos: u8) -> i32 {
    const BEST_EFFORT: i32 = 0;
    const BULK: i32 = 2;
    const INTERACTIVE_BULK: i32 = 4;
    const INTERACTIVE: i32 = 6;
    match (tos & 0x1e) >> 1 {
        0..=3 => BEST_EFFORT,
        4..=7 => BULK,
        8..=11 => INTERACTIVE,
        _ => INTERACTIVE_BULK,
    }
}

/// `net.ipv4.ip_default_ttl`.
fn ttl_default(target: &Target<'_>) -> i32 {
    target.k.net.stack.settings().ip_default_ttl.into()
}

/// -1 is the default again.
fn set_ttl(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let asked = super::number((LEVEL, IP_TTL), value)?;
    let ttl = if asked == -1 { ttl_default(target) } else { asked };
    let ttl = u8::try_from(ttl).ok().filter(|ttl| *ttl > 0).ok_or(Errno::EINVAL)?;
    super::apply(target, Some(Opt::Ttl(ttl)))?;
    target.common().remember(LEVEL, IP_TTL, i32::from(ttl));
    Ok(())
}

/// Streams go to no groups.
fn set_multicast_ttl(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let asked = super::number((LEVEL, IP_MULTICAST_TTL), value)?;
    if target.common().kind == SOCK_STREAM {
        return Err(Errno::EINVAL);
    }
    multicast::set_ttl(target, (LEVEL, IP_MULTICAST_TTL), asked, Opt::MulticastTtl4)
}

/// Sockets of IPv6 begin without it (net/ipv6/af_inet6.c, inet6_create).
fn multicast_all(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let first = i32::from(target.common().family == AF_INET);
    remembered(target, IP_MULTICAST_ALL, first)
}

fn set_multicast_all(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let asked = super::number((LEVEL, IP_MULTICAST_ALL), value)?;
    if !(0..=1).contains(&asked) {
        return Err(Errno::EINVAL);
    }
    super::apply(target, Some(Opt::MulticastAll4(asked == 1)))?;
    target.common().remember(LEVEL, IP_MULTICAST_ALL, asked);
    Ok(())
}

/// Any address may be bound then; who rules the kernel may ask for it. Packets for it still have to come here (ip(7)).
pub(super) fn set_transparent(target: &mut Target<'_>, which: (u32, u32), value: &[u8]) -> Result<(), Errno> {
    let on = super::number(which, value)? != 0;
    if on && !target.is_root() {
        return Err(Errno::EPERM);
    }
    super::apply(target, Some(Opt::Transparent(on)))?;
    target.common().remember(which.0, which.1, i32::from(on));
    Ok(())
}

/// Streams have no fragments to tell of.
fn set_recv_frag_size(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    if target.common().kind == SOCK_STREAM {
        return Err(Errno::EINVAL);
    }
    let on = super::number((LEVEL, IP_RECVFRAGSIZE), value)? != 0;
    target.common().remember(LEVEL, IP_RECVFRAGSIZE, i32::from(on));
    Ok(())
}

/// The interface for what has no other reason to leave by one, its number in network order.
fn set_unicast_if(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    set_interface(target, (LEVEL, IP_UNICAST_IF), value)
}

/// `IP_UNICAST_IF`, `IPV6_UNICAST_IF`.
pub(super) fn set_interface(target: &mut Target<'_>, which: (u32, u32), value: &[u8]) -> Result<(), Errno> {
    let number = value.first_chunk::<4>().map(|bytes| i32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)?;
    let link = (number != 0).then(|| LinkId::from_index(u32::from_be(number.cast_unsigned())));
    if link.is_some_and(|link| target.k.net.stack.link(link).is_err()) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    super::apply(target, Some(Opt::UnicastIf(link)))?;
    target.common().remember(which.0, which.1, number);
    Ok(())
}

/// The MTU of the path to the peer.
pub(super) fn mtu(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    let mtu = target.k.net.stack.mtu_to_peer(id)?;
    Ok(int_bytes(i32::try_from(mtu).unwrap_or(i32::MAX)))
}

/// A number that was checked to be small.
pub(super) fn byte(number: i32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
