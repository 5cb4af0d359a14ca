//! rtnetlink(7): lists of links, addresses and routes.

use super::wire::{Request, attribute};
use abi::Errno;
use abi::raw::net::{AF_INET, AF_INET6, AF_UNSPEC};
use std::net::IpAddr;
use tcpip::{LinkInfo, Stack};

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_OPERSTATE: u16 = 16;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_PREFSRC: u16 = 7;
const RTA_TABLE: u16 = 15;

/// `IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP`.
const LOOPBACK_FLAGS: u32 = 0x1_0049;
/// `IFF_UP | IFF_POINTOPOINT | IFF_RUNNING | IFF_NOARP | IFF_LOWER_UP`.
const LINK_FLAGS: u32 = 0x1_00d1;
/// `ARPHRD_LOOPBACK`, `ARPHRD_NONE`.
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_NONE: u16 = 0xfffe;
/// `IFA_F_PERMANENT`.
const PERMANENT: u8 = 0x80;
/// `RT_SCOPE_UNIVERSE`, `RT_SCOPE_LINK`, `RT_SCOPE_HOST`.
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
const SCOPE_HOST: u8 = 254;

/// An answer is not longer than this: programs read into buffers of one page (netlink(7)).
const ANSWER_MAX: usize = 4096;

/// The datagrams that answer a request.
pub(super) fn answer(stack: &Stack, request: Request<'_>, port: u32, root: bool) -> Vec<Vec<u8>> {
    let links = stack.links();
    let list = match (request.kind, request.is_dump()) {
        (RTM_GETLINK, true) => {
            links.iter().map(|link| request.reply(RTM_NEWLINK, port, &link_body(link))).collect()
        }
        (RTM_GETADDR, true) => addresses(&links, request, port),
        (RTM_GETROUTE, true) => routes(&links, request, port),
        (RTM_GETLINK, false) => return vec![one_link(&links, request, port)],
        (RTM_GETADDR | RTM_GETROUTE, false) => return vec![request.error(port, Some(Errno::EOPNOTSUPP))],
        _ => {
            let errno = if root { Errno::EOPNOTSUPP } else { Errno::EPERM };
            return vec![request.error(port, Some(errno))];
        }
    };
    let mut answers = gathered(list);
    answers.push(request.done(port));
    answers
}

/// As many messages in each datagram as fit.
pub(super) fn gathered(messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    for message in messages {
        match datagrams.last_mut() {
            Some(last) if last.len() + message.len() <= ANSWER_MAX => last.extend_from_slice(&message),
            _ => datagrams.push(message),
        }
    }
    datagrams
}

/// The link with the index in a `struct ifinfomsg`, and an acknowledgement if one is wanted.
fn one_link(links: &[LinkInfo], request: Request<'_>, port: u32) -> Vec<u8> {
    let index = request.number(4);
    let Some(link) = links.iter().find(|link| link.id.index() == index) else {
        return request.error(port, Some(Errno::ENODEV));
    };
    let mut bytes = request.reply(RTM_NEWLINK, port, &link_body(link));
    if request.wants_ack() {
        bytes.extend_from_slice(&request.error(port, None));
    }
    bytes
}

/// A `struct ifinfomsg` with its attributes.
fn link_body(link: &LinkInfo) -> Vec<u8> {
    let (kind, flags) =
        if link.loopback { (ARPHRD_LOOPBACK, LOOPBACK_FLAGS) } else { (ARPHRD_NONE, LINK_FLAGS) };
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&link.id.index().to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&0_u32.to_ne_bytes());
    attribute(&mut bytes, IFLA_IFNAME, &[link.name.as_bytes(), &[0]].concat());
    attribute(&mut bytes, IFLA_TXQLEN, &1000_u32.to_ne_bytes());
    // IF_OPER_UNKNOWN, as Linux says of lo.
    attribute(&mut bytes, IFLA_OPERSTATE, &[0]);
    attribute(&mut bytes, IFLA_MTU, &u32::try_from(link.mtu).unwrap_or(u32::MAX).to_ne_bytes());
    if link.loopback {
        attribute(&mut bytes, IFLA_ADDRESS, &[0; 6]);
        attribute(&mut bytes, IFLA_BROADCAST, &[0; 6]);
    }
    bytes
}

/// Every address of every link, of the family that a `struct ifaddrmsg` asks for.
fn addresses(links: &[LinkInfo], request: Request<'_>, port: u32) -> Vec<Vec<u8>> {
    each_address(links, request.byte(0))
        .map(|(link, ip, prefix)| request.reply(RTM_NEWADDR, port, &address_body(link, ip, prefix)))
        .collect()
}

fn each_address(links: &[LinkInfo], family: u8) -> impl Iterator<Item = (&LinkInfo, IpAddr, u8)> {
    let all = links.iter().flat_map(|link| link.addrs.iter().map(move |(ip, prefix)| (link, *ip, *prefix)));
    all.filter(move |(_, ip, _)| u32::from(family) == AF_UNSPEC || family == family_of(*ip))
}

fn family_of(ip: IpAddr) -> u8 {
    let family = if ip.is_ipv4() { AF_INET } else { AF_INET6 };
    family.to_le_bytes()[0]
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// A `struct ifaddrmsg` with its attributes.
fn address_body(link: &LinkInfo, ip: IpAddr, prefix: u8) -> Vec<u8> {
    let scope = if ip.is_loopback() { SCOPE_HOST } else { SCOPE_UNIVERSE };
    let mut bytes = vec![family_of(ip), prefix, PERMANENT, scope];
    bytes.extend_from_slice(&link.id.index().to_ne_bytes());
    attribute(&mut bytes, IFA_ADDRESS, &octets(ip));
    if ip.is_ipv4() {
        attribute(&mut bytes, IFA_LOCAL, &octets(ip));
        attribute(&mut bytes, IFA_LABEL, &[link.name.as_bytes(), &[0]].concat());
    }
    attribute(&mut bytes, IFA_FLAGS, &u32::from(PERMANENT).to_ne_bytes());
    // Preferred and valid for ever; never changed.
    let forever = [u32::MAX.to_ne_bytes(), u32::MAX.to_ne_bytes(), [0; 4], [0; 4]].concat();
    attribute(&mut bytes, IFA_CACHEINFO, &forever);
    bytes
}

/// The networks that addresses bring with them, each reached through its own link.
fn routes(links: &[LinkInfo], request: Request<'_>, port: u32) -> Vec<Vec<u8>> {
    each_address(links, request.byte(0))
        .map(|(link, ip, prefix)| request.reply(RTM_NEWROUTE, port, &route_body(link, ip, prefix)))
        .collect()
}

/// A `struct rtmsg` with its attributes: of the loopback interface in the local table, as on Linux.
fn route_body(link: &LinkInfo, ip: IpAddr, prefix: u8) -> Vec<u8> {
    /// `RT_TABLE_MAIN`, `RT_TABLE_LOCAL`.
    const TABLES: [u8; 2] = [254, 255];
    /// `RTPROT_KERNEL`.
    const KERNEL: u8 = 2;
    /// `RTN_UNICAST`, `RTN_LOCAL`.
    const TYPES: [u8; 2] = [1, 2];
    let local = usize::from(link.loopback);
    let scope = [SCOPE_LINK, SCOPE_HOST][local];
    let mut bytes = vec![family_of(ip), prefix, 0, 0, TABLES[local], KERNEL, scope, TYPES[local]];
    bytes.extend_from_slice(&0_u32.to_ne_bytes());
    attribute(&mut bytes, RTA_TABLE, &u32::from(TABLES[local]).to_ne_bytes());
    attribute(&mut bytes, RTA_DST, &network(ip, prefix));
    attribute(&mut bytes, RTA_PREFSRC, &octets(ip));
    attribute(&mut bytes, RTA_OIF, &link.id.index().to_ne_bytes());
    bytes
}

/// The address with all bits behind the prefix cleared.
fn network(ip: IpAddr, prefix: u8) -> Vec<u8> {
    let mut bytes = octets(ip);
    for (at, byte) in bytes.iter_mut().enumerate() {
        let kept = usize::from(prefix).saturating_sub(at * 8).min(8);
        *byte &= (0xff00_u16 >> kept).to_le_bytes()[0];
    }
    bytes
}
