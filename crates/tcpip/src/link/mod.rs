//! Network interfaces (netdevice(7)).
//!
//! * `address` their addresses;
//! * `change` what `ip link` does to them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    Offloads, Stack, ethernet,
    frame::Carrier,
    report::{LinkCounters, LinkInfo},
    types::{LinkId, Mac, Medium},
};

mod address;
mod change;

pub use address::Address;
pub(crate) use change::link_local;

/// Above some 60 KiB smoltcp stalls; 32 KiB segments carry more than 2 GB/s.
pub(crate) const LO_MTU: usize = 32768;
/// RFC 8200, section 5.
pub(crate) const IPV6_MIN_MTU: usize = 1280;

/// The links of a stack. `lo` is always the first.
#[derive(Debug)]
pub(crate) struct Links {
    links: Vec<Link>,
    /// The highest index given so far. None is given twice: a late frame of a link that is gone meets no other.
    last_index: u32,
    /// How often one of them has changed.
    changes: u64,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) name: String,
    pub(crate) medium: Medium,
    pub(crate) mtu: usize,
    /// `IFF_UP`.
    pub(crate) up: bool,
    /// `IFF_RUNNING`: the other side is there.
    pub(crate) running: bool,
    /// Packets for other hosts are taken here.
    pub(crate) transparent: bool,
    /// What its other side does for frames.
    pub(crate) offloads: Offloads,
    /// `IFF_PROMISC`, counted.
    pub(crate) promiscuity: u32,
    pub(crate) addrs: Vec<Address>,
    /// Groups that sockets listen to here, and how many.
    pub(crate) groups: BTreeMap<IpAddr, u32>,
    pub(crate) counters: LinkCounters,
}

impl Link {
    fn new(id: LinkId, name: String, medium: Medium, mtu: usize) -> Self {
        let (addrs, groups, counters) = (Vec::new(), BTreeMap::new(), LinkCounters::default());
        let (up, running, transparent, promiscuity) = (false, true, false, 0);
        let offloads = Offloads::None;
        Self {
            id,
            name,
            medium,
            mtu,
            up,
            running,
            transparent,
            offloads,
            promiscuity,
            addrs,
            groups,
            counters,
        }
    }

    pub(crate) fn mac(&self) -> Option<Mac> {
        match self.medium {
            Medium::Ethernet { mac } => Some(mac),
            Medium::Ip => None,
        }
    }

    /// The bytes in front of an IP packet.
    pub(crate) fn header_len(&self) -> usize {
        if self.mac().is_some() { ethernet::HEADER } else { 0 }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.id == LinkId::LO
    }

    /// Whether packets can be sent.
    pub(crate) fn is_usable(&self) -> bool {
        self.up && self.running
    }

    pub(crate) fn carrier(&self) -> Carrier {
        let most = if self.is_loopback() { LO_MTU } else { usize::MAX };
        Carrier {
            mtu: self.mtu.min(most),
            loopback: self.is_loopback(),
            offloads: self.offloads != Offloads::None,
        }
    }

    pub(crate) fn address(&self, ip: IpAddr) -> Option<&Address> {
        self.addrs.iter().find(|a| a.ip == ip)
    }

    fn report(&self) -> LinkInfo {
        LinkInfo {
            id: self.id,
            name: self.name.clone(),
            medium: self.medium,
            addrs: self.addrs.iter().map(|a| (a.ip, a.prefix_len)).collect(),
            mtu: self.mtu,
            up: self.up,
            running: self.running,
            promiscuous: self.promiscuity > 0,
            loopback: self.is_loopback(),
            counters: self.counters,
        }
    }
}

impl Links {
    pub(crate) fn new() -> Self {
        let lo = Link {
            addrs: vec![
                Address::new(Ipv4Addr::LOCALHOST.into(), 8),
                Address::new(Ipv6Addr::LOCALHOST.into(), 128),
            ],
            up: true,
            ..Link::new(LinkId::LO, "lo".to_owned(), Medium::Ip, LO_MTU)
        };
        Self { links: vec![lo], last_index: LinkId::LO.index(), changes: 0 }
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.iter().find(|l| l.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.iter_mut().find(|l| l.id == id)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|l| l.name == name)
    }

    /// What `id` can carry.
    pub(crate) fn carrier(&self, id: LinkId) -> Carrier {
        self.get(id).map_or(Carrier { mtu: IPV6_MIN_MTU, loopback: false, offloads: false }, Link::carrier)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// Whether packets to `ip` end here. All of 127.0.0.0/8 does (RFC 1122, section 3.2.1.3).
    pub(crate) fn is_local(&self, ip: IpAddr) -> bool {
        self.with_address(ip).is_some() || self.local_network(ip).is_some()
    }

    /// The link that an address of ours is on. All of 127.0.0.0/8 is on `lo`.
    pub(crate) fn with_address(&self, ip: IpAddr) -> Option<LinkId> {
        if ip.is_loopback() {
            return Some(LinkId::LO);
        }
        self.links.iter().find(|l| l.addrs.iter().any(|a| a.ip == ip && a.is_valid())).map(|l| l.id)
    }

    /// The address of `lo` in whose network `ip` is: all of it ends here (net/ipv4/fib_frontend.c, fib_add_ifaddr).
    pub(crate) fn local_network(&self, ip: IpAddr) -> Option<IpAddr> {
        let lo = self.get(LinkId::LO).filter(|_| ip.is_ipv4())?;
        lo.addrs.iter().find(|a| a.ip.is_ipv4() && a.covers(ip)).map(|a| a.ip)
    }

    /// The link on which `ip` means all hosts and our address there: the last address of a prefix of ours.
    pub(crate) fn directed_broadcast(&self, ip: IpAddr) -> Option<(LinkId, IpAddr)> {
        let IpAddr::V4(ip) = ip else { return None };
        let links = self.links.iter().filter(|l| !l.is_loopback());
        let mut addrs = links.flat_map(|l| l.addrs.iter().map(move |a| (l.id, a)));
        addrs.find(|(_, a)| a.is_broadcast(ip)).map(|(link, a)| (link, a.ip))
    }

    /// Whether `ip` means all hosts of a network of ours.
    pub(crate) fn is_broadcast(&self, ip: IpAddr) -> bool {
        matches!(ip, IpAddr::V4(v4) if v4.is_broadcast()) || self.directed_broadcast(ip).is_some()
    }
}

impl Stack {
    /// The network interfaces in the order of their indices.
    #[must_use]
    pub fn links(&self) -> Vec<LinkInfo> {
        self.links.iter().map(Link::report).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn link(&self, id: LinkId) -> Result<LinkInfo, abi::Errno> {
        self.links.get(id).map(Link::report).ok_or(abi::Errno::ENODEV)
    }

    /// How often a link was made, changed or removed. While it stays the same, [`Stack::links`] does, but for counters.
    #[must_use]
    pub const fn link_changes(&self) -> u64 {
        self.links.changes
    }

    /// The link with this name (if_nametoindex(3)).
    #[must_use]
    pub fn link_named(&self, name: &str) -> Option<LinkId> {
        self.links.by_name(name).map(|link| link.id)
    }
}
