//! Addresses of links: `ip address`.

use super::super::wire::{Attributes, Refusal, Request, attribute};
use super::{Listed, Row, Serve, family_of, ip, link_of, octets, ticks, wants};
use crate::Kernel;
use crate::socket::interface;
use abi::Errno;
use std::net::IpAddr;
use tcpip::{Address, LinkId, Stack};

// linux/rtnetlink.h
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
// linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;

/// `sizeof (struct ifaddrmsg)`.
const IFADDRMSG: usize = 8;
/// `INFINITY_LIFE_TIME`.
const FOREVER: u32 = u32::MAX;

/// The types that tell of an address.
pub(in super::super) const NEW_DEL: [u16; 2] = [RTM_NEWADDR, RTM_DELADDR];

pub(super) const ROWS: &[Row] = &[
    Row(RTM_GETADDR, Serve::Get { reply: RTM_NEWADDR, all, one: None }),
    Row(RTM_NEWADDR, Serve::Set(add)),
    Row(RTM_DELADDR, Serve::Set(delete)),
];

/// Those of the family that the `struct ifaddrmsg` asks for.
fn all(k: &Kernel, request: Request<'_>) -> Result<Listed, Refusal> {
    let mut addresses = interface::addresses(&k.net.stack);
    addresses.retain(|(_, address)| wants(request.byte(0), address.ip));
    // Strictly, the index is that of the interface that is meant (inet_valid_dump_ifaddr_req).
    let index = if request.manners.strict { request.number(4) } else { 0 };
    addresses.retain(|(link, _)| index == 0 || link.index() == index);
    let bodies = addresses.iter().map(|(link, address)| body(k, *link, address)).collect();
    Ok(Listed { bodies, filtered: index != 0 })
}

/// Our own address: IPv6 messages may say it as `IFA_ADDRESS` (inet6_rtm_newaddr).
fn local(attributes: &Attributes<'_>, family: u8) -> Result<IpAddr, Errno> {
    let local = ip(attributes, IFA_LOCAL, family)?;
    let other = ip(attributes, IFA_ADDRESS, family)?;
    match (local, other) {
        (Some(local), Some(peer)) if local != peer => Err(Errno::EOPNOTSUPP),
        (Some(local), _) => Ok(local),
        (None, Some(address @ IpAddr::V6(_))) => Ok(address),
        _ => Err(Errno::EINVAL),
    }
}

fn add(stack: &mut Stack, now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let attributes = request.attributes(IFADDRMSG);
    let family = request.byte(0);
    let link = link_of(stack, request.number(4))?;
    let mut address = Address::new(local(&attributes, family)?, request.byte(1));
    address.broadcast = match ip(&attributes, IFA_BROADCAST, family)? {
        Some(IpAddr::V4(broadcast)) => Some(broadcast),
        _ => None,
    };
    address.label = attributes.text(IFA_LABEL)?.map(str::to_owned);
    address.scope = if address.ip.is_ipv4() { request.byte(3) } else { address.scope };
    address.flags = attributes.number(IFA_FLAGS)?.unwrap_or(u32::from(request.byte(2))) | Address::PERMANENT;
    set_lifetimes(&mut address, &attributes, now_ns)?;
    let same =
        |(at, a): &(LinkId, Address)| *at == link && a.ip == address.ip && a.prefix_len == address.prefix_len;
    match stack.addresses().iter().any(same) {
        true if request.is_exclusive() || !request.replaces() => {
            return Err(match address.ip {
                IpAddr::V4(_) => Refusal::because(Errno::EEXIST, "ipv4: Address already assigned"),
                IpAddr::V6(_) => Refusal::because(Errno::EEXIST, "ipv6: address already assigned"),
            });
        }
        true => stack.change_address(link, address)?,
        false => stack.add_address(link, address)?,
    }
    Ok(())
}

/// Reads a `struct ifa_cacheinfo`: for how many seconds it is preferred, and valid.
fn set_lifetimes(address: &mut Address, attributes: &Attributes<'_>, now_ns: u64) -> Result<(), Errno> {
    let Some(info) = attributes.get(IFA_CACHEINFO) else { return Ok(()) };
    let seconds = |at: usize| {
        let bytes = info.get(at..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)
    };
    let (preferred, valid) = (seconds(0)?, seconds(4)?);
    if valid == 0 || preferred > valid {
        return Err(Errno::EINVAL);
    }
    let until = |seconds: u32| now_ns.saturating_add(u64::from(seconds) * 1_000_000_000);
    address.valid_until_ns = (valid != FOREVER).then(|| until(valid));
    address.preferred_until_ns = (preferred != FOREVER).then(|| until(preferred));
    if valid != FOREVER {
        address.flags &= !Address::PERMANENT;
    }
    Ok(())
}

/// Without `IFA_ADDRESS` the length of the prefix is not said, and the first address that agrees is meant (inet_rtm_deladdr).
fn delete(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let attributes = request.attributes(IFADDRMSG);
    let link = link_of(stack, request.number(4))?;
    let own = local(&attributes, request.byte(0))?;
    let label = attributes.text(IFA_LABEL)?;
    let exact = attributes.get(IFA_ADDRESS).is_some();
    let fits = |(at, a): &&(LinkId, Address)| {
        *at == link
            && a.ip == own
            && (!exact || a.prefix_len == request.byte(1))
            && label.is_none_or(|label| a.label.as_deref().is_none_or(|own| own == label))
    };
    let addresses = stack.addresses();
    let missing = match own {
        IpAddr::V4(_) => Refusal::because(Errno::EADDRNOTAVAIL, "ipv4: Address not found"),
        IpAddr::V6(_) => Refusal::because(Errno::EADDRNOTAVAIL, "ipv6: address not found"),
    };
    let (_, found) = addresses.iter().find(fits).ok_or(missing)?;
    Ok(stack.remove_address(link, found.ip, found.prefix_len)?)
}

/// A `struct ifaddrmsg` with its attributes (net/ipv4/devinet.c, inet_fill_ifaddr).
pub(in super::super) fn body(k: &Kernel, link: LinkId, address: &Address) -> Vec<u8> {
    let [flags, ..] = address.flags.to_le_bytes();
    let mut bytes = vec![family_of(address.ip), address.prefix_len, flags, address.scope];
    bytes.extend_from_slice(&link.index().to_ne_bytes());
    attribute(&mut bytes, IFA_ADDRESS, &octets(address.ip));
    if address.ip.is_ipv4() {
        attribute(&mut bytes, IFA_LOCAL, &octets(address.ip));
        if let Some(broadcast) = address.broadcast {
            attribute(&mut bytes, IFA_BROADCAST, &broadcast.octets());
        }
        let name = || k.net.stack.link(link).map(|link| link.name).unwrap_or_default();
        let label = address.label.clone().unwrap_or_else(name);
        attribute(&mut bytes, IFA_LABEL, &[label.as_bytes(), &[0]].concat());
    }
    attribute(&mut bytes, IFA_FLAGS, &address.flags.to_ne_bytes());
    let left = |until: Option<u64>| match until {
        None => FOREVER,
        Some(at_ns) => u32::try_from(at_ns.saturating_sub(k.now.mono_ns) / 1_000_000_000).unwrap_or(FOREVER),
    };
    let changed = ticks(address.updated_ns);
    let info = [left(address.preferred_until_ns), left(address.valid_until_ns), changed, changed];
    attribute(&mut bytes, IFA_CACHEINFO, &info.map(u32::to_ne_bytes).concat());
    bytes
}
