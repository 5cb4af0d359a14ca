//! Network interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use abi::Errno;

use crate::{
    Stack,
    addr::is_unicast,
    frame::Carrier,
    report::LinkInfo,
    types::{LinkConfig, LinkId},
};

/// Above some 60 KiB smoltcp stalls; 32 KiB segments carry more than 2 GB/s.
const LO_MTU: usize = 32768;
/// RFC 8200, section 5.
const IPV6_MIN_MTU: usize = 1280;
const IP_MAX_MTU: usize = 65535;

/// The links of a stack. `lo` is always the first.
#[derive(Debug)]
pub(crate) struct Links {
    links: Vec<Link>,
    /// The highest index given so far. None is given twice: a late frame of a link that is gone meets no other.
    last_index: u32,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) name: String,
    pub(crate) addrs: Vec<(IpAddr, u8)>,
    pub(crate) carrier: Carrier,
    pub(crate) default_route: bool,
}

impl Links {
    pub(crate) fn new() -> Self {
        let lo = Link {
            id: LinkId::LO,
            name: "lo".to_owned(),
            addrs: vec![(Ipv4Addr::LOCALHOST.into(), 8), (Ipv6Addr::LOCALHOST.into(), 128)],
            carrier: Carrier { mtu: LO_MTU, loopback: true },
            default_route: false,
        };
        Self { links: vec![lo], last_index: LinkId::LO.index() }
    }

    /// Adds a point-to-point link.
    pub(crate) fn add(&mut self, config: LinkConfig) -> Result<LinkId, Errno> {
        let lengths_fit = config.addrs.iter().all(|&(ip, len)| len <= if ip.is_ipv4() { 32 } else { 128 });
        let unicast = config.addrs.iter().all(|&(ip, _)| is_unicast(ip) && !ip.is_loopback());
        if !(IPV6_MIN_MTU..=IP_MAX_MTU).contains(&config.mtu) || !unicast || !lengths_fit {
            return Err(Errno::EINVAL);
        }
        self.last_index = self.last_index.checked_add(1).ok_or(Errno::ENOSPC)?;
        let id = LinkId(self.last_index);
        self.links.push(Link {
            id,
            name: config.name,
            addrs: config.addrs,
            carrier: Carrier { mtu: config.mtu, loopback: false },
            default_route: config.default_route,
        });
        Ok(id)
    }

    /// Removes a link with its addresses and the routes they make.
    pub(crate) fn remove(&mut self, id: LinkId) -> Result<(), Errno> {
        if id == LinkId::LO {
            return Err(Errno::EOPNOTSUPP);
        }
        let place = self.links.iter().position(|l| l.id == id).ok_or(Errno::ENODEV)?;
        self.links.remove(place);
        Ok(())
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.iter().find(|l| l.id == id)
    }

    /// What `id` can carry.
    pub(crate) fn carrier(&self, id: LinkId) -> Carrier {
        self.get(id).map_or(Carrier { mtu: IPV6_MIN_MTU, loopback: false }, |l| l.carrier)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// Whether packets to `ip` end here. All of 127.0.0.0/8 does (RFC 1122, section 3.2.1.3).
    pub(crate) fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.links.iter().any(|l| l.addrs.iter().any(|&(a, _)| a == ip))
    }

    /// Whether `ip` means all hosts: 255.255.255.255, or the last address of a prefix of ours.
    pub(crate) fn is_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        let directed = |&(net, len): &(IpAddr, u8)| {
            let host_bits = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
            let IpAddr::V4(net) = net else { return false };
            len < 31 && ip.to_bits() == net.to_bits() | host_bits
        };
        ip.is_broadcast() || self.links.iter().any(|l| l.addrs.iter().any(directed))
    }

    pub(crate) fn report(&self) -> Vec<LinkInfo> {
        let info = |l: &Link| LinkInfo {
            id: l.id,
            name: l.name.clone(),
            addrs: l.addrs.clone(),
            mtu: l.carrier.mtu,
            loopback: l.carrier.loopback,
        };
        self.links.iter().map(info).collect()
    }
}

impl Stack {
    /// Adds a point-to-point link and brings it up.
    ///
    /// # Errors
    /// `EINVAL`: an MTU below 1280 (RFC 8200) or above 65535, or an address that is not a unicast one.
    pub fn add_link(&mut self, config: LinkConfig) -> Result<LinkId, Errno> {
        self.links.add(config)
    }

    /// Removes a link, its addresses and what waits to be sent there. Its connections are not told: they retransmit
    /// into the void until they time out.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EOPNOTSUPP`: `lo` stays (`ip link delete lo`).
    pub fn remove_link(&mut self, id: LinkId) -> Result<(), Errno> {
        self.links.remove(id)?;
        self.outgoing.retain(|(link, _)| *link != id);
        Ok(())
    }

    /// The network interfaces.
    #[must_use]
    pub fn links(&self) -> Vec<LinkInfo> {
        self.links.report()
    }
}
