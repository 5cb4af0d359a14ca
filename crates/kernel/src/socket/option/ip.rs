//! `IPPROTO_IP` (ip(7)).

use super::multicast::{self, Change};
use super::raw;
use super::{Row, Target, Value, flag, int, int_bytes, own};
use abi::Errno;
use abi::raw::net::*;
use tcpip::{Opt, SourceChange};

const LEVEL: u32 = IPPROTO_IP as u32;

/// Options whose value has at least one byte.
pub(super) const NOT_EMPTY: &[u32] =
    &[IP_TTL, IP_MINTTL, IP_FREEBIND, IP_TRANSPARENT, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_ALL];

pub(super) const ROWS: &[Row] = &[
    own(IP_TOS, Some(|t| remembered(t, IP_TOS, 0)), Some(set_tos)),
    own(IP_TTL, Some(|t| remembered(t, IP_TTL, ttl_default(t))), Some(set_ttl)),
    never_sent(IP_OPTIONS),
    flag(IP_RECVOPTS),
    flag(IP_RETOPTS),
    flag(IP_PKTINFO),
    Row {
        name: IP_MTU_DISCOVER,
        value: Value::Int { default: 1, min: 0, max: 5, stack: Some(|how| Opt::MtuDiscover4(byte(how))) },
    },
    Row { name: IP_RECVERR, value: Value::Flag { default: false, stack: Some(Opt::RecvErr4) } },
    flag(IP_RECVTTL),
    flag(IP_RECVTOS),
    flag(IP_ORIGDSTADDR),
    own(IP_MTU, Some(mtu), None),
    // Takes back no refusal: bind(2) to a foreign address fails all the same.
    flag(IP_FREEBIND),
    own(IP_TRANSPARENT, Some(|_| Ok(int_bytes(0))), Some(set_transparent)),
    int(IP_MINTTL, 0, 0, 255),
    flag(IP_BIND_ADDRESS_NO_PORT),
    Row {
        name: IP_MULTICAST_TTL,
        // -1 is the default again.
        value: Value::Int {
            default: 1,
            min: -1,
            max: 255,
            stack: Some(|ttl| Opt::MulticastTtl4(u8::try_from(ttl).unwrap_or(1))),
        },
    },
    Row { name: IP_MULTICAST_LOOP, value: Value::Flag { default: true, stack: Some(Opt::MulticastLoop4) } },
    Row { name: IP_MULTICAST_ALL, value: Value::Flag { default: true, stack: Some(Opt::MulticastAll4) } },
    own(IP_MULTICAST_IF, Some(multicast::get_interface), Some(multicast::set_interface)),
    own(IP_ADD_MEMBERSHIP, None, Some(|t, v| multicast::ipv4(t, v, Change::Join))),
    own(IP_DROP_MEMBERSHIP, None, Some(|t, v| multicast::ipv4(t, v, Change::Leave))),
    own(IP_ADD_SOURCE_MEMBERSHIP, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Join))),
    own(IP_DROP_SOURCE_MEMBERSHIP, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Leave))),
    own(IP_BLOCK_SOURCE, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Block))),
    own(IP_UNBLOCK_SOURCE, None, Some(|t, v| multicast::ipv4_source(t, v, SourceChange::Unblock))),
    own(IP_HDRINCL, Some(raw::header_included), Some(raw::set_header_included)),
];

/// Options and extension headers are never sent: none is what there is, and all that can be set.
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
    Ok(())
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

/// The stack cannot do it, so nobody has the right to.
fn set_transparent(_: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    if super::number((LEVEL, IP_TRANSPARENT), value)? == 0 { Ok(()) } else { Err(Errno::EPERM) }
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
