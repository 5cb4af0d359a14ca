//! Which way a packet goes, and from which address.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    link::{Link, Links},
    types::LinkId,
};

/// The way to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) link: LinkId,
    /// The source address for who has not bound one.
    pub(crate) source: IpAddr,
}

/// Longest prefix first; what is ours goes over `lo`. `None`: `ENETUNREACH`.
pub(crate) fn lookup(links: &Links, dst: IpAddr) -> Option<Route> {
    if links.is_local(dst) {
        return Some(Route { link: LinkId::LO, source: local_source(dst) });
    }
    let onlink = links
        .iter()
        .flat_map(|link| link.addrs.iter().map(move |&(ip, len)| (link, ip, len)))
        .filter(|&(_, ip, len)| covers(ip, len, dst))
        .max_by_key(|&(_, _, len)| len)
        .map(|(link, source, _)| Route { link: link.id, source });
    onlink.or_else(|| links.iter().filter(|l| l.default_route).find_map(|l| via(l, dst)))
}

/// `local 127.0.0.0/8 dev lo src 127.0.0.1` in Linux's table; other addresses of ours are their own source.
fn local_source(dst: IpAddr) -> IpAddr {
    match dst {
        IpAddr::V4(v4) if v4.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => dst,
    }
}

fn via(link: &Link, dst: IpAddr) -> Option<Route> {
    let &(source, _) = link.addrs.iter().find(|(ip, _)| ip.is_ipv4() == dst.is_ipv4())?;
    Some(Route { link: link.id, source })
}

fn covers(net: IpAddr, len: u8, ip: IpAddr) -> bool {
    match (net, ip) {
        (IpAddr::V4(net), IpAddr::V4(ip)) => {
            let differing = net.to_bits() ^ ip.to_bits();
            differing.leading_zeros() >= u32::from(len)
        }
        (IpAddr::V6(net), IpAddr::V6(ip)) => {
            let differing = net.to_bits() ^ ip.to_bits();
            differing.leading_zeros() >= u32::from(len)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::LinkConfig;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn longest_prefix_wins_and_own_addresses_stay_here() {
        let mut links = Links::new();
        let mut add = |name: &str, addr: (IpAddr, u8), default_route| {
            let config = LinkConfig { name: name.to_owned(), addrs: vec![addr], mtu: 1500, default_route };
            links.add(config).expect("a link")
        };
        let wide = add("a", (ip("10.0.0.1"), 8), true);
        let narrow = add("b", (ip("10.1.0.1"), 16), false);
        let way = |dst| lookup(&links, ip(dst)).map(|r| (r.link, r.source));
        assert_eq!(way("10.1.2.3"), Some((narrow, ip("10.1.0.1"))));
        assert_eq!(way("10.2.2.3"), Some((wide, ip("10.0.0.1"))));
        assert_eq!(way("192.0.2.1"), Some((wide, ip("10.0.0.1"))));
        assert_eq!(way("10.1.0.1"), Some((LinkId::LO, ip("10.1.0.1"))));
        assert_eq!(way("127.9.9.9"), Some((LinkId::LO, ip("127.0.0.1"))));
        assert_eq!(way("2001:db8::1"), None);
    }
}
