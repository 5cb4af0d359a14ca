//! The network between the rump kernel and its gateway: slirp's, 10.0.2.0/24 with the gateway at .2, the name server at .3 and the guest
//! at .15, and the same places of an IPv6 prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tcpip::Mac;

const GATEWAY: u8 = 2;
const NAMES: u8 = 3;
const GUEST: u8 = 15;
/// IPv6's guest is `::15`, too.
const GUEST_V6: u8 = 0x15;
/// slirp's network.
pub(super) const NET: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::new(10, 0, 2, 0)), 24);
/// A prefix that nobody else has (RFC 4193): "rump" in ASCII.
pub(super) const NET6: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0xfd72, 0x756d, 0x0070, 0, 0, 0, 0, 0)), 64);
/// The longest prefixes that have room for the places.
const LEN_MAX: u8 = 27;
const LEN_MAX_V6: u8 = 120;

/// The port of DNS.
const DOMAIN: u16 = 53;

/// Addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) gateway: IpAddr,
    pub(super) names: IpAddr,
    pub(super) guest: IpAddr,
    pub(super) len: u8,
}

impl Side {
    /// The places in this network.
    pub(super) fn of((ip, len): (IpAddr, u8)) -> Result<Self, String> {
        let most = if ip.is_ipv4() { LEN_MAX } else { LEN_MAX_V6 };
        if len > most {
            return Err(format!("'{ip}/{len}' has no room for gateway, name server and guest: /{most} has"));
        }
        let place = |number: u8| match ip {
            IpAddr::V4(v4) => {
                let host_bits = u32::MAX.checked_shr(len.into()).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !host_bits | u32::from(number)))
            }
            IpAddr::V6(v6) => {
                let host_bits = u128::MAX.checked_shr(len.into()).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !host_bits | u128::from(number)))
            }
        };
        let guest = place(if ip.is_ipv4() { GUEST } else { GUEST_V6 });
        Ok(Self { gateway: place(GATEWAY), names: place(NAMES), guest, len })
    }
}

/// What the guest's packets may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// This address, by the host's sockets.
    Host(SocketAddr),
    /// The host's name servers.
    Names,
    /// Nobody is there.
    Nobody,
}

/// Both families, and what the gateway's own addresses stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    pub(super) v4: Side,
    pub(super) v6: Option<Side>,
    /// The gateway's addresses are the host's loopback.
    pub(super) loopback: bool,
}

impl Network {
    pub(super) fn sides(&self) -> impl Iterator<Item = Side> {
        [Some(self.v4), self.v6].into_iter().flatten()
    }

    /// The addresses of one family.
    pub(super) fn side(&self, ip: IpAddr) -> Option<Side> {
        if ip.is_ipv4() { Some(self.v4) } else { self.v6 }
    }

    /// Where what the guest sends there goes.
    pub(super) fn destination(&self, to: SocketAddr) -> Destination {
        let Some(side) = self.side(to.ip()) else { return Destination::Nobody };
        let loopback: IpAddr =
            if to.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        match to.ip() {
            ip if ip == side.names && to.port() == DOMAIN => Destination::Names,
            ip if ip == side.names => Destination::Nobody,
            ip if ip == side.gateway && self.loopback => {
                Destination::Host(SocketAddr::new(loopback, to.port()))
            }
            ip if ip == side.gateway => Destination::Nobody,
            _ => Destination::Host(to),
        }
    }

    /// How the guest sees who comes to it through a forward: the loopback of the host is the gateway.
    pub(super) fn seen(&self, peer: SocketAddr, guest: IpAddr) -> Option<SocketAddr> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let side = self.side(guest)?;
        let foreign = peer.is_ipv4() != guest.is_ipv4() || peer.ip().is_loopback();
        let own = self.sides().any(|side| [side.gateway, side.names, side.guest].contains(&peer.ip()));
        Some(if foreign || own { SocketAddr::new(side.gateway, peer.port()) } else { peer })
    }
}

/// The gateway's station, as slirp has it.
pub(super) fn gateway_mac(side: &Side) -> Mac {
    let [a, b, c, d] = match side.gateway {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(_) => [0, 0, 0, GATEWAY],
    };
    Mac([0x52, 0x55, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(loopback: bool) -> Network {
        Network { v4: Side::of(NET).unwrap(), v6: Some(Side::of(NET6).unwrap()), loopback }
    }

    #[test]
    fn places() {
        let side = Side::of(("10.9.8.77".parse().unwrap(), 24)).unwrap();
        assert_eq!(side.gateway, "10.9.8.2".parse::<IpAddr>().unwrap());
        assert_eq!(side.guest, "10.9.8.15".parse::<IpAddr>().unwrap());
        assert_eq!(Side::of(NET6).unwrap().guest, "fd72:756d:70::15".parse::<IpAddr>().unwrap());
        assert!(Side::of(("10.0.0.0".parse().unwrap(), 28)).is_err());
        assert!(gateway_mac(&side).is_unicast());
    }

    #[test]
    fn the_loopback_is_reached_only_if_that_was_said() {
        let to = |text: &str| text.parse::<SocketAddr>().unwrap();
        let host = |text: &str| Destination::Host(to(text));
        assert_eq!(network(false).destination(to("10.0.2.2:80")), Destination::Nobody);
        assert_eq!(network(true).destination(to("10.0.2.2:80")), host("127.0.0.1:80"));
        assert_eq!(network(true).destination(to("[fd72:756d:70::2]:80")), host("[::1]:80"));
        assert_eq!(network(false).destination(to("10.0.2.3:53")), Destination::Names);
        assert_eq!(network(true).destination(to("10.0.2.3:80")), Destination::Nobody);
        assert_eq!(network(false).destination(to("192.0.2.1:80")), host("192.0.2.1:80"));
    }

    #[test]
    fn who_comes_from_the_loopback_is_the_gateway() {
        let seen = |peer: &str, guest: &str| {
            let seen = network(false).seen(peer.parse().unwrap(), guest.parse().unwrap());
            seen.unwrap().to_string()
        };
        assert_eq!(seen("127.0.0.1:5", "10.0.2.15"), "10.0.2.2:5");
        assert_eq!(seen("[::ffff:192.0.2.1]:5", "10.0.2.15"), "192.0.2.1:5");
        assert_eq!(seen("[2001:db8::1]:5", "10.0.2.15"), "10.0.2.2:5");
        assert_eq!(seen("10.0.2.15:5", "10.0.2.15"), "10.0.2.2:5");
    }
}
