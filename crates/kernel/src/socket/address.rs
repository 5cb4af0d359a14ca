//! Socket addresses as programs pass them (`struct sockaddr_in`, `sockaddr_in6`).

use abi::Errno;
use abi::layout::{SockaddrIn, SockaddrIn6};
use abi::raw::net::{AF_INET, AF_INET6, AF_UNSPEC};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use zerocopy::{FromBytes, IntoBytes};

/// `sizeof (struct sockaddr_storage)`: no address is longer.
pub(crate) const ADDRESS_MAX: usize = 128;

/// `SIN6_LEN_RFC2133`: a `sockaddr_in6` without its scope is still taken.
const SOCKADDR_IN6_MIN: usize = 24;

/// The family of an address; `None` if it is too short to have one.
pub(crate) fn family(addr: &[u8]) -> Option<u32> {
    addr.first_chunk::<2>().map(|bytes| u32::from(u16::from_ne_bytes(*bytes)))
}

/// Whether connect(2) was given `AF_UNSPEC`: forget the peer.
pub(crate) fn is_unspec(addr: &[u8]) -> bool {
    family(addr) == Some(AF_UNSPEC)
}

/// The address for bind(2) of a socket of this family.
///
/// # Errors
/// `EINVAL`: too short. `EAFNOSUPPORT`: of another family.
pub(crate) fn for_bind(own: u32, addr: &[u8]) -> Result<SocketAddr, Errno> {
    if own == AF_INET {
        let found = ipv4(addr)?;
        // AF_UNSPEC with INADDR_ANY is accepted for old programs (net/ipv4/af_inet.c, __inet_bind).
        let any = found.ip().is_unspecified();
        return match family(addr) {
            Some(AF_INET) => Ok(found.into()),
            Some(AF_UNSPEC) if any => Ok(found.into()),
            _ => Err(Errno::EAFNOSUPPORT),
        };
    }
    of_family(own, addr)
}

/// The address for connect(2) of a socket of this family.
///
/// # Errors
/// `EINVAL`: too short. `EAFNOSUPPORT`: of another family.
pub(crate) fn for_connect(own: u32, addr: &[u8]) -> Result<SocketAddr, Errno> {
    of_family(own, addr)
}

/// The address for connect(2) of an IPv6 socket of datagrams, which speaks IPv4 too (net/ipv6/datagram.c, __ip6_datagram_connect).
///
/// # Errors
/// As [`for_connect`].
pub(crate) fn for_either(addr: &[u8]) -> Result<SocketAddr, Errno> {
    if family(addr) == Some(AF_INET) { Ok(mapped(addr)?.into()) } else { of_family(AF_INET6, addr) }
}

/// The address for sendto(2) of a socket of this family; `None`: as if there were none.
///
/// # Errors
/// `EINVAL`: too short. `EAFNOSUPPORT`: of another family.
pub(crate) fn for_send(own: u32, addr: &[u8]) -> Result<Option<SocketAddr>, Errno> {
    let to: SocketAddr = match family(addr) {
        Some(AF_INET6) if own == AF_INET6 => ipv6(addr)?.into(),
        // An IPv6 socket takes IPv4 addresses here too (net/ipv6/udp.c, udpv6_sendmsg).
        Some(AF_INET) if own == AF_INET6 => mapped(addr)?.into(),
        Some(AF_UNSPEC) if own == AF_INET6 => return Ok(None),
        Some(AF_INET | AF_UNSPEC) if own == AF_INET => ipv4(addr)?.into(),
        None => return Err(Errno::EINVAL),
        Some(_) if own == AF_INET6 => return Err(Errno::EINVAL),
        Some(_) => {
            ipv4(addr)?;
            return Err(Errno::EAFNOSUPPORT);
        }
    };
    Ok(Some(to))
}

fn of_family(own: u32, addr: &[u8]) -> Result<SocketAddr, Errno> {
    let found: SocketAddr = if own == AF_INET { ipv4(addr)?.into() } else { ipv6(addr)?.into() };
    if family(addr) == Some(own) { Ok(found) } else { Err(Errno::EAFNOSUPPORT) }
}

fn ipv4(addr: &[u8]) -> Result<SocketAddrV4, Errno> {
    let (raw, _) = SockaddrIn::read_from_prefix(addr).map_err(|_| Errno::EINVAL)?;
    Ok(SocketAddrV4::new(Ipv4Addr::from(raw.sin_addr), u16::from_be_bytes(raw.sin_port)))
}

/// An IPv4 address as an IPv6 socket has it.
fn mapped(addr: &[u8]) -> Result<SocketAddrV6, Errno> {
    let v4 = ipv4(addr)?;
    Ok(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0))
}

fn ipv6(addr: &[u8]) -> Result<SocketAddrV6, Errno> {
    if addr.len() < SOCKADDR_IN6_MIN {
        return Err(Errno::EINVAL);
    }
    let mut whole = [0; size_of::<SockaddrIn6>()];
    let len = addr.len().min(whole.len());
    whole[..len].copy_from_slice(&addr[..len]);
    let raw = SockaddrIn6::read_from_bytes(&whole).map_err(|_| Errno::EINVAL)?;
    Ok(SocketAddrV6::new(
        Ipv6Addr::from(raw.sin6_addr),
        u16::from_be_bytes(raw.sin6_port),
        u32::from_be_bytes(raw.sin6_flowinfo),
        raw.sin6_scope_id,
    ))
}

/// The bytes of an address, in the form of a socket of this family.
pub(crate) fn emit(own: u32, addr: SocketAddr) -> Vec<u8> {
    let port = addr.port().to_be_bytes();
    match (own, addr) {
        (AF_INET6, addr) => {
            let (ip, scope) = match addr {
                SocketAddr::V6(v6) => (*v6.ip(), v6.scope_id()),
                SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv6Addr::UNSPECIFIED, 0),
                SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped(), 0),
            };
            let raw = SockaddrIn6 {
                sin6_family: narrow(AF_INET6),
                sin6_port: port,
                sin6_flowinfo: [0; 4],
                sin6_addr: ip.octets(),
                sin6_scope_id: scope,
            };
            raw.as_bytes().to_vec()
        }
        (_, addr) => {
            let ip = match addr.ip() {
                IpAddr::V4(ip) => ip,
                IpAddr::V6(ip) => ip.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED),
            };
            let raw = SockaddrIn {
                sin_family: narrow(AF_INET),
                sin_port: port,
                sin_addr: ip.octets(),
                sin_zero: [0; 8],
            };
            raw.as_bytes().to_vec()
        }
    }
}

/// A family as addresses hold it.
#[allow(clippy::cast_possible_truncation, reason = "AF_* are below 64")]
pub(crate) const fn narrow(family: u32) -> u16 {
    family as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["127.0.0.1:80", "0.0.0.0:0"] {
            let addr: SocketAddr = text.parse().expect("an address");
            assert_eq!(for_bind(AF_INET, &emit(AF_INET, addr)), Ok(addr));
        }
        let addr: SocketAddr = "[fe80::1%3]:8080".parse().expect("an address");
        assert_eq!(for_connect(AF_INET6, &emit(AF_INET6, addr)), Ok(addr));
    }

    #[test]
    fn strict_as_linux() {
        let v4 = emit(AF_INET, "127.0.0.1:80".parse().expect("an address"));
        assert_eq!(for_bind(AF_INET, &v4[..15]), Err(Errno::EINVAL));
        assert_eq!(for_bind(AF_INET6, &v4), Err(Errno::EINVAL));
        assert_eq!(for_send(AF_INET, &[0; 15]), Err(Errno::EINVAL));
        let v6 = emit(AF_INET6, "[::1]:80".parse().expect("an address"));
        assert_eq!(for_connect(AF_INET, &v6), Err(Errno::EAFNOSUPPORT));
        assert!(for_connect(AF_INET6, &v6[..24]).is_ok(), "a sockaddr_in6 of RFC 2133");
    }
}
