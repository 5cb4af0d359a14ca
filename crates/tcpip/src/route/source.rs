//! Which of our addresses a packet comes from.

use std::{
    cmp::Reverse,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::common_bits;
use crate::{
    Stack,
    link::{Address, Link},
    types::LinkId,
};

impl Stack {
    /// The address for packets to `dst` over `link` and `gateway`, unless the route says which; the unspecified one: there is none.
    pub(crate) fn source_for(&self, link: LinkId, dst: IpAddr, gateway: Option<IpAddr>) -> IpAddr {
        match dst {
            IpAddr::V4(_) => self.source_v4(link, gateway.unwrap_or(dst)),
            IpAddr::V6(v6) => self.source_v6(link, v6),
        }
    }

    /// inet_select_addr: the link's address whose prefix has the next hop, else its first one, else another link's.
    fn source_v4(&self, link: LinkId, hop: IpAddr) -> IpAddr {
        let v4 = |l: &Link| {
            let usable = |a: &&Address| a.ip.is_ipv4() && !a.has(Address::SECONDARY);
            let near = l.addrs.iter().filter(usable).find(|a| a.covers(hop));
            near.or_else(|| l.addrs.iter().find(usable)).map(|a| a.ip)
        };
        let own = self.links.get(link).and_then(v4);
        let others = || self.links.iter().filter(|l| !l.is_loopback() && l.up).find_map(v4);
        own.or_else(others).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// RFC 6724, section 5: rules 1, 2, 3, 5 and 8.
    fn source_v6(&self, link: LinkId, dst: Ipv6Addr) -> IpAddr {
        let wanted = scope(dst);
        let links = self.links.iter().filter(|l| l.up || l.is_loopback());
        let candidates = links.flat_map(|l| l.addrs.iter().map(move |a| (l.id, a)));
        let rank = |id: LinkId, a: &Address| {
            let IpAddr::V6(ip) = a.ip else { return None };
            // A link-local address means nothing elsewhere, and a group is for those who are on the link.
            let confined = scope(ip) <= LINK_SCOPE || dst.is_multicast();
            if !a.is_valid() || (confined && id != link) {
                return None;
            }
            let own = scope(ip);
            let suits = if own >= wanted { Some(Reverse(own)) } else { None };
            let preferred = !a.has(Address::DEPRECATED);
            let matching = common_bits(ip.into(), dst.into()).unwrap_or(0).min(u32::from(a.prefix_len));
            Some((ip == dst, suits, suits.is_none().then_some(own), preferred, id == link, matching))
        };
        let ranked = candidates.filter_map(|(id, a)| Some((rank(id, a)?, a.ip)));
        // Of equals the first.
        let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |(_, ip)| ip)
    }
}

const LINK_SCOPE: u8 = 2;

/// RFC 4291, section 2.7; RFC 6724, section 3.1.
fn scope(ip: Ipv6Addr) -> u8 {
    match ip {
        _ if ip.is_multicast() => ip.octets()[1] & 0xf,
        _ if ip.is_loopback() => 1,
        _ if ip.is_unicast_link_local() => LINK_SCOPE,
        _ => 14,
    }
}
