//! Groups (ip(7), ipv6(7), RFC 3678): the structures in which programs name them.

use super::{Row, Target, own};
use crate::socket::address;
use abi::Errno;
use abi::raw::net::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tcpip::{LinkId, Opt, SocketId, SourceChange};

/// `sizeof (struct sockaddr_storage)`.
const STORAGE: usize = 128;

/// The calls that both levels have (RFC 3678, section 5).
pub(super) const ROWS: &[Row] = &[
    own(MCAST_JOIN_GROUP, None, Some(|t, v| any(t, v, Change::Join))),
    own(MCAST_LEAVE_GROUP, None, Some(|t, v| any(t, v, Change::Leave))),
    own(MCAST_BLOCK_SOURCE, None, Some(|t, v| any(t, v, Change::Source(SourceChange::Block)))),
    own(MCAST_UNBLOCK_SOURCE, None, Some(|t, v| any(t, v, Change::Source(SourceChange::Unblock)))),
    own(MCAST_JOIN_SOURCE_GROUP, None, Some(|t, v| any(t, v, Change::Source(SourceChange::Join)))),
    own(MCAST_LEAVE_SOURCE_GROUP, None, Some(|t, v| any(t, v, Change::Source(SourceChange::Leave)))),
];

/// What is done about a group.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Join,
    Leave,
    Source(SourceChange),
}

/// `struct ip_mreq`, `struct ip_mreqn`.
pub(super) fn ipv4(target: &mut Target<'_>, value: &[u8], change: Change) -> Result<(), Errno> {
    let group = v4(value, 0)?;
    // net/ipv4/igmp.c: who leaves a group on an interface that is not there has not joined it there.
    let missing = if matches!(change, Change::Leave) { Errno::EADDRNOTAVAIL } else { Errno::ENODEV };
    let link = interface(target, value, missing)?;
    apply(target, group.into(), None, link, change)
}

/// `struct ip_mreq_source`: group, interface, source.
pub(super) fn ipv4_source(target: &mut Target<'_>, value: &[u8], change: SourceChange) -> Result<(), Errno> {
    let (group, own, source) = (v4(value, 0)?, v4(value, 4)?, v4(value, 8)?);
    let link = with_address(target, own, Errno::ENODEV)?;
    apply(target, group.into(), Some(source.into()), link, Change::Source(change))
}

/// `struct ipv6_mreq`.
pub(super) fn ipv6(target: &mut Target<'_>, value: &[u8], change: Change) -> Result<(), Errno> {
    let group = value.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes)).ok_or(Errno::EINVAL)?;
    let link = index(value, 16)?;
    apply(target, group.into(), None, link, change)
}

/// `struct group_req`, `struct group_source_req`.
fn any(target: &mut Target<'_>, value: &[u8], change: Change) -> Result<(), Errno> {
    let link = index(value, 0)?;
    let group = storage(value, 8)?;
    let source = match change {
        Change::Source(_) => Some(storage(value, 8 + STORAGE)?),
        _ => None,
    };
    apply(target, group, source, link, change)
}

/// `IP_MULTICAST_IF`: `struct in_addr`, `struct ip_mreq`, `struct ip_mreqn`.
pub(super) fn set_interface(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    const MISSING: Errno = Errno::EADDRNOTAVAIL;
    let link = match value.len() {
        8.. => interface(target, value, MISSING)?,
        _ => with_address(target, v4(value, 0)?, MISSING)?,
    };
    super::apply(target, Some(Opt::MulticastIf4(link)))
}

/// `IP_MULTICAST_IF`: an address of the interface.
pub(super) fn get_interface(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let options = target.k.net.stack.options(socket(target)?)?;
    let link = options.multicast_if4.and_then(|link| target.k.net.stack.link(link).ok());
    let first = link.and_then(|link| {
        link.addrs.iter().find_map(|(ip, _)| match ip {
            IpAddr::V4(ip) => Some(*ip),
            IpAddr::V6(_) => None,
        })
    });
    Ok(first.unwrap_or(Ipv4Addr::UNSPECIFIED).octets().to_vec())
}

/// `IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`: -1 is the default again.
pub(super) fn set_ttl(
    target: &mut Target<'_>,
    (level, name): (u32, u32),
    asked: i32,
    of_stack: fn(u8) -> Opt,
) -> Result<(), Errno> {
    let ttl = u8::try_from(if asked == -1 { 1 } else { asked }).map_err(|_| Errno::EINVAL)?;
    super::apply(target, Some(of_stack(ttl)))?;
    target.common().remember(level, name, i32::from(ttl));
    Ok(())
}

/// `IPV6_MULTICAST_IF`.
pub(super) fn set_interface6(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let link = index(value, 0)?;
    if let Some(link) = link {
        target.k.net.stack.link(link)?;
    }
    super::apply(target, Some(Opt::MulticastIf6(link)))
}

pub(super) fn get_interface6(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let options = target.k.net.stack.options(socket(target)?)?;
    Ok(options.multicast_if6.map_or(0, LinkId::index).to_ne_bytes().to_vec())
}

fn apply(
    target: &mut Target<'_>,
    group: IpAddr,
    source: Option<IpAddr>,
    link: Option<LinkId>,
    change: Change,
) -> Result<(), Errno> {
    let id = socket(target)?;
    let stack = &mut target.k.net.stack;
    match (change, source) {
        (Change::Join, _) => stack.join_group(id, group, link),
        (Change::Leave, _) => stack.leave_group(id, group, link),
        (Change::Source(change), Some(source)) => stack.change_source(id, group, source, link, change),
        (Change::Source(_), None) => Err(Errno::EINVAL),
    }
}

fn socket(target: &Target<'_>) -> Result<SocketId, Errno> {
    target.socket.inet().ok_or(Errno::ENOPROTOOPT)
}

/// The interface of a `struct ip_mreqn` by its index, else by the address; `missing`: none has it.
fn interface(target: &Target<'_>, value: &[u8], missing: Errno) -> Result<Option<LinkId>, Errno> {
    match value.len() {
        12.. => match index(value, 8)? {
            Some(link) => Ok(Some(link)),
            None => with_address(target, v4(value, 4)?, missing),
        },
        _ => with_address(target, v4(value, 4)?, missing),
    }
}

fn with_address(target: &Target<'_>, own: Ipv4Addr, missing: Errno) -> Result<Option<LinkId>, Errno> {
    if own.is_unspecified() {
        return Ok(None);
    }
    target.k.net.stack.link_with(IpAddr::V4(own)).map(Some).ok_or(missing)
}

fn index(value: &[u8], at: usize) -> Result<Option<LinkId>, Errno> {
    let bytes = value.get(at..).and_then(|bytes| bytes.first_chunk::<4>()).ok_or(Errno::EINVAL)?;
    let index = u32::from_ne_bytes(*bytes);
    Ok((index != 0).then(|| LinkId::from_index(index)))
}

fn v4(value: &[u8], at: usize) -> Result<Ipv4Addr, Errno> {
    let bytes = value.get(at..).and_then(|bytes| bytes.first_chunk::<4>()).ok_or(Errno::EINVAL)?;
    Ok(Ipv4Addr::from(*bytes))
}

fn storage(value: &[u8], at: usize) -> Result<IpAddr, Errno> {
    let bytes = value.get(at..at + STORAGE).ok_or(Errno::EINVAL)?;
    let family = address::family(bytes).ok_or(Errno::EINVAL)?;
    Ok(address::for_connect(family, bytes).map_err(|_| Errno::EADDRNOTAVAIL)?.ip())
}
