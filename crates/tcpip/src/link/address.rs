//! Addresses of interfaces (`ip address`, rtnetlink(7) `RTM_NEWADDR`).

use std::net::{IpAddr, Ipv4Addr};

use abi::Errno;

use super::{IPV6_MIN_MTU, Link};
use crate::{
    Stack,
    addr::is_unicast,
    event::{Change, Event},
    route::covers,
    types::LinkId,
};

/// One address of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `IFA_LOCAL`.
    pub ip: IpAddr,
    /// Length of the prefix that the link's other hosts share.
    pub prefix_len: u8,
    /// `IFA_BROADCAST`.
    pub broadcast: Option<Ipv4Addr>,
    /// `IFA_LABEL`; none: the link's name.
    pub label: Option<String>,
    /// `IFA_F_*`.
    pub flags: u32,
    /// `RT_SCOPE_*`: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// When it goes, on the stack's clock; none: never.
    pub valid_until_ns: Option<u64>,
    /// From when on no new connection uses it; none: never.
    pub preferred_until_ns: Option<u64>,
    /// When it was made or changed last.
    pub updated_ns: u64,
}

impl Address {
    /// `IFA_F_SECONDARY`: another address of the same IPv4 prefix came first.
    pub const SECONDARY: u32 = 0x01;
    /// `IFA_F_NODAD`.
    pub const NODAD: u32 = 0x02;
    /// `IFA_F_OPTIMISTIC` (RFC 4429).
    pub const OPTIMISTIC: u32 = 0x04;
    /// `IFA_F_DADFAILED`.
    pub const DADFAILED: u32 = 0x08;
    /// `IFA_F_DEPRECATED`.
    pub const DEPRECATED: u32 = 0x20;
    /// `IFA_F_TENTATIVE`.
    pub const TENTATIVE: u32 = 0x40;
    /// `IFA_F_PERMANENT`.
    pub const PERMANENT: u32 = 0x80;
    /// `IFA_F_NOPREFIXROUTE`: it makes no route.
    pub const NOPREFIXROUTE: u32 = 0x200;

    /// A permanent address, with the broadcast address and the scope that follow from it.
    #[must_use]
    pub fn new(ip: IpAddr, prefix_len: u8) -> Self {
        let broadcast = match ip {
            IpAddr::V4(v4) if prefix_len < 31 && !v4.is_loopback() => {
                let host_bits = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
                Some(Ipv4Addr::from_bits(v4.to_bits() | host_bits))
            }
            _ => None,
        };
        Self {
            ip,
            prefix_len,
            broadcast,
            label: None,
            flags: Self::PERMANENT,
            scope: scope_of(ip),
            valid_until_ns: None,
            preferred_until_ns: None,
            updated_ns: 0,
        }
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether it may be used: another host may have turned out to have it.
    pub(crate) fn is_valid(&self) -> bool {
        !self.has(Self::DADFAILED)
    }

    pub(crate) fn covers(&self, ip: IpAddr) -> bool {
        covers(self.ip, self.prefix_len, ip)
    }

    /// Linux makes a broadcast address of every prefix, whether `IFA_BROADCAST` says so or not (fib_add_ifaddr).
    pub(super) fn is_broadcast(&self, ip: Ipv4Addr) -> bool {
        let IpAddr::V4(own) = self.ip else { return false };
        let host_bits = u32::MAX.checked_shr(u32::from(self.prefix_len)).unwrap_or(0);
        let last = self.prefix_len < 31 && ip.to_bits() == own.to_bits() | host_bits;
        last || self.broadcast == Some(ip)
    }

    fn same_prefix(&self, other: &Self) -> bool {
        self.ip.is_ipv4()
            && other.ip.is_ipv4()
            && self.prefix_len == other.prefix_len
            && self.covers(other.ip)
    }
}

/// `RT_SCOPE_HOST`, `RT_SCOPE_LINK`, `RT_SCOPE_UNIVERSE`.
fn scope_of(ip: IpAddr) -> u8 {
    match ip {
        ip if ip.is_loopback() => 254,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 253,
        _ => 0,
    }
}

impl Link {
    /// Whether an address can be put here.
    pub(super) fn check_address(&self, address: &Address) -> Result<(), Errno> {
        let most = if address.ip.is_ipv4() { 32 } else { 128 };
        let loops = address.ip.is_loopback() && !self.is_loopback();
        if address.prefix_len > most || !is_unicast(address.ip) || loops {
            return Err(Errno::EINVAL);
        }
        if address.ip.is_ipv6() && self.mtu < IPV6_MIN_MTU {
            return Err(Errno::EINVAL);
        }
        // An IPv4 address may be there twice with prefixes of different lengths.
        let twin = |a: &Address| a.ip == address.ip && (a.ip.is_ipv6() || a.prefix_len == address.prefix_len);
        if self.addrs.iter().any(twin) { Err(Errno::EEXIST) } else { Ok(()) }
    }
}

impl Stack {
    /// `RTM_NEWADDR`: gives a link an address, with the route to its prefix unless a flag says otherwise. The address is
    /// announced to the neighbours (RFC 5227, RFC 4861).
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EEXIST`: it has it. `EINVAL`: not a unicast address, a prefix that is too long, IPv6 on a link
    /// whose MTU is below 1280.
    pub fn add_address(&mut self, id: LinkId, mut address: Address) -> Result<(), Errno> {
        let now_ns = self.now_ns;
        let local = self.local_table();
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        link.check_address(&address)?;
        address.updated_ns = now_ns;
        let primary = link.addrs.iter().any(|a| a.same_prefix(&address) && !a.has(Address::SECONDARY));
        address.flags &= !Address::SECONDARY;
        if primary {
            address.flags |= Address::SECONDARY;
        }
        let detect = address.ip.is_ipv6() && link.mac().is_some() && !address.has(Address::NODAD);
        if detect {
            // Optimistic (RFC 4429): it is used at once.
            address.flags |= Address::TENTATIVE | Address::OPTIMISTIC;
        }
        link.addrs.push(address.clone());
        let up = link.up;
        self.note_event(Event::Address(Change::New, id, address.clone()));
        self.tell_local_routes(local);
        self.watch_lifetime(id, &address);
        if up {
            self.bring_address_up(id, &address);
        }
        self.routes.note_change();
        self.pump();
        Ok(())
    }

    /// `RTM_NEWADDR` for an address that is there: its lifetimes, flags, label and broadcast address become these.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EADDRNOTAVAIL`: it has no such address.
    pub fn change_address(&mut self, id: LinkId, address: Address) -> Result<(), Errno> {
        let now_ns = self.now_ns;
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        let same = |a: &&mut Address| a.ip == address.ip && a.prefix_len == address.prefix_len;
        let found = link.addrs.iter_mut().find(same).ok_or(Errno::EADDRNOTAVAIL)?;
        let kept = Address::SECONDARY | Address::DADFAILED | Address::TENTATIVE | Address::OPTIMISTIC;
        let flags = address.flags & !kept | found.flags & kept;
        *found = Address { flags, updated_ns: now_ns, ..address };
        let changed = found.clone();
        self.watch_lifetime(id, &changed);
        self.note_event(Event::Address(Change::New, id, changed));
        Ok(())
    }

    /// `RTM_DELADDR`: takes an address away, and the routes that depend on it. With the first address of an IPv4 prefix its
    /// secondary ones go (`promote_secondaries` is 0).
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EADDRNOTAVAIL`: it has no such address.
    pub fn remove_address(&mut self, id: LinkId, ip: IpAddr, prefix_len: u8) -> Result<(), Errno> {
        let local = self.local_table();
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        let place = link.addrs.iter().position(|a| a.ip == ip && a.prefix_len == prefix_len);
        let address = link.addrs.remove(place.ok_or(Errno::EADDRNOTAVAIL)?);
        let mut gone = vec![address];
        if gone.iter().any(|a| !a.has(Address::SECONDARY)) {
            let depends =
                |a: &mut Address| a.has(Address::SECONDARY) && gone.iter().any(|g| g.same_prefix(a));
            let secondaries: Vec<_> = link.addrs.extract_if(.., depends).collect();
            gone.extend(secondaries);
        }
        for address in gone {
            self.forget_address(id, address);
        }
        self.tell_local_routes(local);
        Ok(())
    }

    /// The addresses of all links.
    #[must_use]
    pub fn addresses(&self) -> Vec<(LinkId, Address)> {
        let of = |link: &Link| {
            let id = link.id;
            link.addrs.iter().map(move |a| (id, a.clone())).collect::<Vec<_>>()
        };
        self.links.iter().flat_map(of).collect()
    }

    /// The link that an address of ours is on. All of 127.0.0.0/8 is on `lo`.
    #[must_use]
    pub fn link_with(&self, ip: IpAddr) -> Option<LinkId> {
        self.links.with_address(ip)
    }

    /// What follows when an address is there and its link is up.
    pub(super) fn bring_address_up(&mut self, id: LinkId, address: &Address) {
        self.add_connected_route(id, address);
        match address.ip {
            IpAddr::V4(ip) => self.announce_v4(id, ip),
            IpAddr::V6(ip) if address.has(Address::TENTATIVE) => self.begin_duplicate_detection(id, ip),
            IpAddr::V6(ip) => self.announce_v6(id, ip),
        }
    }

    /// What follows when an address was taken off its link.
    pub(crate) fn forget_address(&mut self, id: LinkId, address: Address) {
        self.remove_routes_of_address(id, &address);
        self.note_event(Event::Address(Change::Del, id, address));
        self.routes.note_change();
    }
}
