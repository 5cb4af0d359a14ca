//! Interfaces come, go and change (`ip link`).

use std::net::{IpAddr, Ipv6Addr};

use abi::Errno;

use super::{Address, IPV6_MIN_MTU, Link};
use crate::{
    Offloads, Stack,
    event::{Change, Event},
    types::{LinkConfig, LinkId, Mac, Medium},
};

/// `ETH_MIN_MTU`.
const MIN_MTU: usize = 68;
const MAX_MTU: usize = 65535;
/// `IFNAMSIZ`, with the NUL at its end.
const NAME_MAX: usize = 16;

impl Stack {
    /// Adds a link.
    ///
    /// # Errors
    /// `EINVAL`: a name that is none, an MTU out of range, an address that is not a unicast one. `EEXIST`: the name is taken.
    /// `EADDRNOTAVAIL`: a MAC address that is not a station's.
    pub fn add_link(&mut self, config: LinkConfig) -> Result<LinkId, Errno> {
        check_name(&config.name)?;
        check_medium(config.medium)?;
        check_mtu(config.mtu)?;
        if self.links.by_name(&config.name).is_some() {
            return Err(Errno::EEXIST);
        }
        let index = self.links.last_index.checked_add(1).ok_or(Errno::ENOSPC)?;
        let id = LinkId(index);
        let link = Link::new(id, config.name, config.medium, config.mtu);
        for &(ip, prefix_len) in &config.addrs {
            link.check_address(&Address::new(ip, prefix_len))?;
        }
        self.links.last_index = index;
        self.links.links.push(link);
        self.note_link(id);
        if config.up {
            self.set_up(id, true)?;
        }
        for (ip, prefix_len) in config.addrs {
            self.add_address(id, Address::new(ip, prefix_len))?;
        }
        Ok(id)
    }

    /// Removes a link, its addresses, routes and neighbours, and what waits to be sent there. Its connections go on: their next
    /// segments take another way if there is one (net/ipv4/route.c, rt_flush_dev).
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EOPNOTSUPP`: `lo` stays (`ip link delete lo`).
    pub fn remove_link(&mut self, id: LinkId) -> Result<(), Errno> {
        if id == LinkId::LO {
            return Err(Errno::EOPNOTSUPP);
        }
        self.set_up(id, false)?;
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        let addrs = std::mem::take(&mut link.addrs);
        let last = link.report();
        self.links.links.retain(|l| l.id != id);
        self.end_autoconf(id);
        for address in addrs {
            self.forget_address(id, address);
        }
        self.links.changes += 1;
        self.note_event(Event::Link(Change::Del, last));
        Ok(())
    }

    /// `IFF_UP`. As on Linux, a link that goes down loses its routes, its neighbours and its IPv6 addresses; one that comes up
    /// gets its connected routes again, and an Ethernet link a link-local address (RFC 4291, appendix A).
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn set_up(&mut self, id: LinkId, up: bool) -> Result<(), Errno> {
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        if std::mem::replace(&mut link.up, up) == up {
            return Ok(());
        }
        if up {
            self.come_up(id);
        } else {
            self.go_down(id);
        }
        self.routes.note_change();
        self.note_link(id);
        self.pump();
        Ok(())
    }

    /// What the other side of what carries the link's frames does for them: then it is told by [`Stack::next_frame_with`], and frames may
    /// come in so by [`Stack::frame_in_with`]. Connections that are open keep to what was.
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn set_offloads(&mut self, id: LinkId, offloads: Offloads) -> Result<(), Errno> {
        self.links.get_mut(id).ok_or(Errno::ENODEV)?.offloads = offloads;
        Ok(())
    }

    /// `IFF_RUNNING`: whether the other side of the link is there.
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn set_running(&mut self, id: LinkId, running: bool) -> Result<(), Errno> {
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        if std::mem::replace(&mut link.running, running) != running {
            self.routes.note_change();
            self.note_link(id);
            if running {
                self.announce_all(id);
            }
        }
        Ok(())
    }

    /// `IFF_PROMISC`, counted: frames for other stations are shown to packet sockets.
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn set_promiscuous(&mut self, id: LinkId, on: bool) -> Result<(), Errno> {
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        let before = link.promiscuity > 0;
        link.promiscuity = if on { link.promiscuity + 1 } else { link.promiscuity.saturating_sub(1) };
        if before != (link.promiscuity > 0) {
            self.note_link(id);
        }
        Ok(())
    }

    /// Gives a link another name.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EINVAL`: not a name. `EEXIST`: another link has it.
    pub fn rename_link(&mut self, id: LinkId, name: &str) -> Result<(), Errno> {
        check_name(name)?;
        if self.links.get(id).ok_or(Errno::ENODEV)?.name == name {
            return Ok(());
        }
        if self.links.by_name(name).is_some() {
            return Err(Errno::EEXIST);
        }
        if let Some(link) = self.links.get_mut(id) {
            name.clone_into(&mut link.name);
        }
        self.note_link(id);
        Ok(())
    }

    /// The largest IP packet. Open connections keep to it too. Below 1280 the link loses its IPv6 addresses.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EINVAL`: not within 68 to 65535.
    pub fn set_mtu(&mut self, id: LinkId, mtu: usize) -> Result<(), Errno> {
        check_mtu(mtu)?;
        self.links.get_mut(id).ok_or(Errno::ENODEV)?.mtu = mtu;
        if mtu < IPV6_MIN_MTU {
            self.drop_v6(id);
        }
        self.routes.note_change();
        self.note_link(id);
        Ok(())
    }

    /// The Ethernet address. Neighbours are asked again, and told.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EOPNOTSUPP`: not an Ethernet link. `EADDRNOTAVAIL`: not a station's address.
    pub fn set_mac(&mut self, id: LinkId, mac: Mac) -> Result<(), Errno> {
        let link = self.links.get_mut(id).ok_or(Errno::ENODEV)?;
        if link.mac().is_none() {
            return Err(Errno::EOPNOTSUPP);
        }
        let medium = Medium::Ethernet { mac };
        check_medium(medium)?;
        link.medium = medium;
        self.forget_neighbours(id);
        self.note_link(id);
        self.announce_all(id);
        Ok(())
    }

    fn come_up(&mut self, id: LinkId) {
        let Some(link) = self.links.get(id) else { return };
        let addrs = link.addrs.clone();
        for address in &addrs {
            self.bring_address_up(id, address);
        }
        let Some(link) = self.links.get(id) else { return };
        if let (Some(mac), true) = (link.mac(), link.mtu >= IPV6_MIN_MTU) {
            let ip = link_local(mac).into();
            if link.address(ip).is_none() {
                // Cannot fail: the address is a unicast one and new.
                let _ = self.add_address(id, Address::new(ip, 64));
            }
        }
        self.begin_autoconf(id);
        self.report_all_groups(id, true);
        self.report_all_groups(id, false);
    }

    fn go_down(&mut self, id: LinkId) {
        self.end_autoconf(id);
        self.outgoing.retain(|(link, _)| *link != id);
        self.forget_neighbours(id);
        self.remove_routes_of_link(id);
        if id != LinkId::LO {
            self.drop_v6(id);
        }
    }

    fn drop_v6(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else { return };
        let gone: Vec<_> = link.addrs.extract_if(.., |a| a.ip.is_ipv6()).collect();
        for address in gone {
            self.forget_address(id, address);
        }
    }

    /// Tells the neighbours of all our addresses.
    fn announce_all(&mut self, id: LinkId) {
        let Some(link) = self.links.get(id).filter(|link| link.is_usable()) else { return };
        for ip in link.addrs.iter().map(|a| a.ip).collect::<Vec<_>>() {
            match ip {
                IpAddr::V4(ip) => self.announce_v4(id, ip),
                IpAddr::V6(ip) => self.announce_v6(id, ip),
            }
        }
    }

    pub(crate) fn note_link(&mut self, id: LinkId) {
        self.links.changes += 1;
        if let Some(info) = self.links.get(id).map(Link::report) {
            self.note_event(Event::Link(Change::New, info));
        }
    }
}

/// The interface identifier is the MAC address with `ff:fe` in its middle and the universal bit turned (RFC 4291, appendix A).
pub(crate) fn link_local(Mac([a, b, c, d, e, f]): Mac) -> Ipv6Addr {
    Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// net/core/dev.c, dev_valid_name.
fn check_name(name: &str) -> Result<(), Errno> {
    let odd = |c: char| c == '/' || c == ':' || c.is_ascii_whitespace() || c == '\0';
    let bad = name.is_empty() || name.len() >= NAME_MAX || name == "." || name == ".." || name.contains(odd);
    if bad { Err(Errno::EINVAL) } else { Ok(()) }
}

fn check_mtu(mtu: usize) -> Result<(), Errno> {
    if (MIN_MTU..=MAX_MTU).contains(&mtu) { Ok(()) } else { Err(Errno::EINVAL) }
}

fn check_medium(medium: Medium) -> Result<(), Errno> {
    match medium {
        Medium::Ethernet { mac } if !mac.is_unicast() => Err(Errno::EADDRNOTAVAIL),
        _ => Ok(()),
    }
}
