//! Routers are asked, and say which prefixes and routes there are (RFC 4861, section 6.3; RFC 4862, section 5.5; RFC 8106).

use std::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::NdiscRepr;

use super::{Origin, Resolving, domains};
use crate::{
    Stack,
    link::{Address, IPV6_MIN_MTU, link_local},
    packet::IpPacket,
    route::{Route, RouteMatch, RouteUpdate, network},
    types::LinkId,
};

const SECOND_NS: u64 = 1_000_000_000;
/// `MAX_RTR_SOLICITATIONS`, `RTR_SOLICITATION_INTERVAL`; the first one waits until the link-local address is known to be ours.
const SOLICITATIONS: u8 = 3;
const INTERVAL_NS: u64 = 4 * SECOND_NS;
const FIRST_NS: u64 = SECOND_NS + SECOND_NS / 10;
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// An announced lifetime that is not authenticated does not shorten one below this (RFC 4862, section 5.5.3).
const TWO_HOURS_NS: u64 = 7200 * SECOND_NS;
/// Addresses that advertisements may give a link (`net.ipv6.conf.*.max_addresses`).
const ADDRESSES_MAX: usize = 16;

/// Questions that are still to be asked.
#[derive(Debug)]
pub(super) struct Solicitation {
    left: u8,
    due_ns: u64,
}

impl Solicitation {
    pub(super) fn due_ns(&self) -> u64 {
        self.due_ns
    }
}

impl Stack {
    /// A router does not ask others (`accept_ra` is 1).
    pub(super) fn begin_solicitation(&mut self, link: LinkId) {
        let ethernet = self.links.get(link).is_some_and(|l| l.mac().is_some() && l.mtu >= IPV6_MIN_MTU);
        if ethernet && !self.settings.forwarding {
            let due_ns = self.now_ns + FIRST_NS;
            self.autoconf.solicitations.insert(link, Solicitation { left: SOLICITATIONS, due_ns });
        }
    }

    pub(super) fn solicit_routers(&mut self) {
        let now_ns = self.now_ns;
        let due = self.autoconf.solicitations.iter_mut().filter(|(_, s)| s.due_ns <= now_ns);
        let mut asked = Vec::new();
        for (link, solicitation) in due {
            asked.push(*link);
            solicitation.left -= 1;
            solicitation.due_ns = now_ns + INTERVAL_NS;
        }
        self.autoconf.solicitations.retain(|_, s| s.left > 0);
        for link in asked {
            let Some(mac) = self.links.get(link).and_then(|l| l.mac()) else { continue };
            let own = link_local(mac);
            let there = self.links.get(link).and_then(|l| l.address(own.into()));
            let Some(address) = there.filter(|a| a.is_valid()) else { continue };
            // Who is not sure of its address yet does not say its station's (RFC 4429, section 2.2).
            let sure = !address.has(Address::TENTATIVE);
            let lladdr = sure.then(|| crate::neighbour::raw(mac));
            self.send_nd(link, (own, ALL_ROUTERS), &NdiscRepr::RouterSolicit { lladdr }, None);
        }
    }

    /// A router advertisement; `ip.payload` is whole.
    pub(crate) fn router_advertised(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let IpAddr::V6(router) = ip.src else { return };
        let &[_, _, _, _, _, _, l0, l1, _, _, _, _, _, _, _, _, ref options @ ..] = ip.payload else {
            return;
        };
        if !router.is_unicast_link_local() || self.settings.forwarding {
            return;
        }
        self.autoconf.solicitations.remove(&link);
        let lifetime_ns = u64::from(u16::from_be_bytes([l0, l1])) * SECOND_NS;
        let mtu = each_option(options).find_map(|option| match *option {
            [5, _, _, _, a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        });
        let most = self.links.carrier(link).mtu;
        let mtu = mtu.filter(|mtu| (IPV6_MIN_MTU..=most).contains(&(*mtu as usize)));
        self.set_default_router(link, router, lifetime_ns, mtu);
        for option in each_option(options) {
            match *option {
                [1, _, a, b, c, d, e, f] => self.learn_router((link, ip.src), [a, b, c, d, e, f]),
                [3, _, ..] if option.len() == 32 => self.take_prefix(link, option),
                [25, _, ..] if option.len() >= 24 => self.take_name_servers(link, option),
                [31, _, ..] if option.len() >= 16 => self.take_domains(link, option),
                _ => {}
            }
        }
    }

    fn set_default_router(&mut self, link: LinkId, router: Ipv6Addr, lifetime_ns: u64, mtu: Option<u32>) {
        let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let gateway = Some(IpAddr::V6(router));
        let which = RouteMatch {
            gateway,
            link: Some(link),
            protocol: Some(Route::PROTOCOL_RA),
            ..RouteMatch::to(any, 0)
        };
        // It may be the first that is heard of it.
        let _ = self.remove_route(&which);
        if lifetime_ns > 0 {
            let route = Route {
                protocol: Route::PROTOCOL_RA,
                expires_ns: Some(self.now_ns + lifetime_ns),
                mtu,
                ..Route::new(any, 0, gateway, Some(link))
            };
            // A route by hand has the right of way.
            let _ = self.add_route(route, RouteUpdate::Add);
        }
    }

    /// A prefix information option (RFC 4861, section 4.6.2).
    fn take_prefix(&mut self, link: LinkId, option: &[u8]) {
        let (len, flags) = (option[2], option[3]);
        let seconds = |at: usize| {
            option.get(at..).and_then(|b| b.first_chunk::<4>()).map_or(0, |b| u32::from_be_bytes(*b))
        };
        let (valid, preferred) = (seconds(4), seconds(8));
        let Some(prefix) = option.get(16..).and_then(|b| b.first_chunk::<16>()).map(|b| Ipv6Addr::from(*b))
        else {
            return;
        };
        let (on_link, autonomous) = (flags & 0x80 != 0, flags & 0x40 != 0);
        if prefix.is_unicast_link_local() || prefix.is_multicast() || preferred > valid {
            return;
        }
        if on_link && !(autonomous && len == 64) && len <= 128 {
            self.take_on_link(link, prefix.into(), len, valid);
        }
        if autonomous && len == 64 {
            self.take_address(link, prefix, on_link, valid, preferred);
        }
    }

    fn take_on_link(&mut self, link: LinkId, prefix: IpAddr, len: u8, valid: u32) {
        let which = RouteMatch {
            link: Some(link),
            protocol: Some(Route::PROTOCOL_RA),
            ..RouteMatch::to(network(prefix, len), len)
        };
        let _ = self.remove_route(&which);
        if valid > 0 {
            let route = Route {
                metric: 256,
                protocol: Route::PROTOCOL_RA,
                expires_ns: self.ends(valid),
                ..Route::new(prefix, len, None, Some(link))
            };
            let _ = self.add_route(route, RouteUpdate::Add);
        }
    }

    fn take_address(&mut self, id: LinkId, prefix: Ipv6Addr, on_link: bool, valid: u32, preferred: u32) {
        let Some(link) = self.links.get(id) else { return };
        let Some(mac) = link.mac() else { return };
        let [.., i0, i1, i2, i3, i4, i5, i6, i7] = link_local(mac).octets();
        let mut octets = prefix.octets();
        octets[8..].copy_from_slice(&[i0, i1, i2, i3, i4, i5, i6, i7]);
        let ip = IpAddr::from(octets);
        let now_ns = self.now_ns;
        let ends = self.ends(valid);
        let dynamic = |a: &&Address| a.ip.is_ipv6() && !a.has(Address::PERMANENT);
        match link.address(ip).cloned() {
            Some(known) if known.has(Address::PERMANENT) => {}
            Some(known) => {
                let left_ns = known.valid_until_ns.map_or(u64::MAX, |at_ns| at_ns.saturating_sub(now_ns));
                let offered_ns = ends.map_or(u64::MAX, |at_ns| at_ns - now_ns);
                let valid_until_ns = if offered_ns > TWO_HOURS_NS || offered_ns > left_ns {
                    ends
                } else if left_ns <= TWO_HOURS_NS {
                    known.valid_until_ns
                } else {
                    Some(now_ns + TWO_HOURS_NS)
                };
                let flags = if preferred > 0 { known.flags & !Address::DEPRECATED } else { known.flags };
                let preferred_until_ns = self.ends(preferred);
                let _ =
                    self.change_address(id, Address { flags, valid_until_ns, preferred_until_ns, ..known });
            }
            None if valid == 0 || link.addrs.iter().filter(dynamic).count() >= ADDRESSES_MAX => {}
            None => {
                let flags = if on_link { 0 } else { Address::NOPREFIXROUTE };
                let address = Address {
                    flags,
                    valid_until_ns: ends,
                    preferred_until_ns: self.ends(preferred),
                    ..Address::new(ip, 64)
                };
                let _ = self.add_address(id, address);
            }
        }
    }

    /// A recursive DNS server option (RFC 8106, section 5.1).
    fn take_name_servers(&mut self, link: LinkId, option: &[u8]) {
        let lifetime =
            option.get(4..).and_then(|b| b.first_chunk::<4>()).map_or(0, |b| u32::from_be_bytes(*b));
        let servers = option.get(8..).unwrap_or_default().as_chunks::<16>().0;
        // Link-local ones would need their scope in resolv.conf.
        let usable =
            |ip: &Ipv6Addr| !ip.is_multicast() && !ip.is_unspecified() && !ip.is_unicast_link_local();
        let servers = servers.iter().map(|b| Ipv6Addr::from(*b)).filter(usable).map(IpAddr::V6);
        let servers = if lifetime == 0 { Vec::new() } else { servers.take(3).collect() };
        let told = Resolving { servers, ..self.told(link, Origin::Router) };
        self.set_resolving(link, Origin::Router, told);
    }

    /// A DNS search list option (RFC 8106, section 5.2).
    fn take_domains(&mut self, link: LinkId, option: &[u8]) {
        let forgotten = option.get(4..8) == Some(&[0; 4]);
        let domains = if forgotten { Vec::new() } else { domains::list(option.get(8..).unwrap_or_default()) };
        let told = Resolving { domains, ..self.told(link, Origin::Router) };
        self.set_resolving(link, Origin::Router, told);
    }

    /// When a lifetime ends; all ones: never.
    fn ends(&self, seconds: u32) -> Option<u64> {
        (seconds != u32::MAX).then(|| self.now_ns + u64::from(seconds) * SECOND_NS)
    }
}

/// The options of a message whose lengths were checked.
fn each_option(mut options: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let len = usize::from(*options.get(1)?) * 8;
        let (option, rest) = options.split_at_checked(len).filter(|_| len > 0)?;
        options = rest;
        Some(option)
    })
}
