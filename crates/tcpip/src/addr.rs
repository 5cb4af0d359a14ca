//! Addresses inside the stack: IPv4 is always IPv4 here, whatever family the socket has.

use std::{
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use abi::Errno;

use crate::types::{Domain, LinkId};

/// One end of a flow. Never a v4-mapped address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
}

/// Both ends of a flow, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
}

impl Hash for Flow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for ip in [self.local.ip, self.remote.ip] {
            match ip {
                IpAddr::V4(v4) => state.write_u32(v4.to_bits()),
                IpAddr::V6(v6) => state.write(&v6.octets()),
            }
        }
        state.write_u32(u32::from(self.local.port) << 16 | u32::from(self.remote.port));
    }
}

/// The address that a socket of `domain` means by `addr`.
///
/// # Errors
/// `EAFNOSUPPORT`: an address of another family. `EINVAL` for what only a v4-mapped address could mean on a socket
/// that is IPv6 only is left to the caller, who knows which call it is.
pub(crate) fn from_program(domain: Domain, addr: SocketAddr) -> Result<Endpoint, Errno> {
    let ip = match (domain, addr.ip()) {
        (Domain::Inet, IpAddr::V6(_)) | (Domain::Inet6, IpAddr::V4(_)) => return Err(Errno::EAFNOSUPPORT),
        (_, ip) => ip.to_canonical(),
    };
    Ok(Endpoint { ip, port: addr.port() })
}

/// Whether an address means something on one link only.
pub(crate) fn confined(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local() || (v6.is_multicast() && v6.octets()[1] & 0xf == 2))
}

/// The link that an address's scope identifier says, else the one that the socket is bound to.
///
/// # Errors
/// `EINVAL`: it needs one and has none, or they contradict each other (net/ipv6/datagram.c).
pub(crate) fn scope(addr: SocketAddr, bound: Option<LinkId>) -> Result<Option<LinkId>, Errno> {
    let SocketAddr::V6(v6) = addr else { return Ok(bound) };
    if !confined(IpAddr::V6(*v6.ip())) {
        return Ok(bound);
    }
    let said = Some(v6.scope_id()).filter(|scope| *scope != 0).map(LinkId::from_index);
    match (said, bound) {
        (Some(said), Some(bound)) if said != bound => Err(Errno::EINVAL),
        (None, None) if v6.ip().is_unicast_link_local() => Err(Errno::EINVAL),
        _ => Ok(said.or(bound)),
    }
}

/// An address with the scope identifier that it needs.
pub(crate) fn scoped(addr: SocketAddr, link: Option<LinkId>) -> SocketAddr {
    match (addr, link) {
        (SocketAddr::V6(v6), Some(link)) if confined(IpAddr::V6(*v6.ip())) => {
            SocketAddrV6::new(*v6.ip(), v6.port(), v6.flowinfo(), link.index()).into()
        }
        _ => addr,
    }
}

/// How a socket of `domain` shows an address: IPv4 is v4-mapped on an IPv6 socket (ipv6(7)).
pub(crate) fn ip_to_program(domain: Domain, ip: IpAddr) -> IpAddr {
    match (domain, ip) {
        (Domain::Inet6, IpAddr::V4(v4)) => IpAddr::V6(v4.to_ipv6_mapped()),
        _ => ip,
    }
}

/// [`ip_to_program`] with a port.
pub(crate) fn to_program(domain: Domain, end: Endpoint) -> SocketAddr {
    SocketAddr::new(ip_to_program(domain, end.ip), end.port)
}

/// The unspecified address of a family.
pub(crate) fn unspecified(domain: Domain) -> IpAddr {
    match domain {
        Domain::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Domain::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Linux connects to the unspecified address as to this host.
pub(crate) fn this_host(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        _ => ip,
    }
}

/// Whether one host can be meant by it.
pub(crate) fn is_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !broadcast && !ip.is_multicast() && !ip.is_unspecified()
}
