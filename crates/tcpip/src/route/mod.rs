//! Which way a packet goes, and from which address.
//!
//! * `change` what `ip route` does, and the routes that addresses make;
//! * `rules` which table is looked at;
//! * `source` which of our addresses a packet comes from.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use abi::Errno;

use crate::{
    Stack,
    event::{Change, Event},
    link::{Address, Link, Links},
    types::LinkId,
};

mod change;
mod rules;
mod source;

pub use change::{RouteMatch, RouteUpdate};
pub(crate) use rules::Rules;
pub use rules::{Rule, RuleAction};

/// What a route does with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// `RTN_UNICAST`: sends them on.
    Unicast,
    /// `RTN_LOCAL`: they end here.
    Local,
    /// `RTN_BROADCAST`.
    Broadcast,
    /// `RTN_MULTICAST`.
    Multicast,
    /// `RTN_BLACKHOLE`: drops them; senders here get `EINVAL`.
    Blackhole,
    /// `RTN_UNREACHABLE`: `EHOSTUNREACH`.
    Unreachable,
    /// `RTN_PROHIBIT`: `EACCES`.
    Prohibit,
}

impl RouteKind {
    /// Whether it needs a link.
    fn goes_somewhere(self) -> bool {
        !matches!(self, Self::Blackhole | Self::Unreachable | Self::Prohibit)
    }

    /// What senders here are told.
    fn refusal(self) -> Errno {
        match self {
            Self::Blackhole => Errno::EINVAL,
            Self::Unreachable => Errno::EHOSTUNREACH,
            Self::Prohibit => Errno::EACCES,
            _ => Errno::ENETUNREACH,
        }
    }
}

/// One route (rtnetlink(7), `struct rtmsg` and its attributes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `RTA_DST`: the network, the bits behind its prefix all 0.
    pub dst: IpAddr,
    /// Length of its prefix; 0: the default route.
    pub prefix_len: u8,
    /// `RTA_GATEWAY`; none: the destination is a neighbour.
    pub gateway: Option<IpAddr>,
    /// `RTA_OIF`; none where packets go nowhere, and on the way in where the gateway says it.
    pub link: Option<LinkId>,
    /// `RTA_PRIORITY`: of equal prefixes the route with the lowest is taken.
    pub metric: u32,
    /// `RTA_PREFSRC`.
    pub source: Option<IpAddr>,
    /// `RTN_*`.
    pub kind: RouteKind,
    /// `RTPROT_*`: 2 kernel, 3 boot, 4 static, 9 router advertisement, 16 DHCP.
    pub protocol: u8,
    /// `RT_SCOPE_*`: 0 beyond a gateway, 253 on the link, 254 this host.
    pub scope: u8,
    /// `RT_TABLE_*`: 254 main, 255 local. Others are looked at as rules say.
    pub table: u32,
    /// `RTNH_F_ONLINK`: the gateway is a neighbour, whatever the routes say.
    pub on_link: bool,
    /// `RTAX_MTU` in bytes.
    pub mtu: Option<u32>,
    /// When it goes, on the stack's clock; none: never.
    pub expires_ns: Option<u64>,
}

impl Route {
    /// `RT_TABLE_MAIN`.
    pub const TABLE_MAIN: u32 = 254;
    /// `RT_TABLE_DEFAULT`.
    pub const TABLE_DEFAULT: u32 = 253;
    /// `RT_TABLE_LOCAL`.
    pub const TABLE_LOCAL: u32 = 255;
    /// `RTPROT_KERNEL`.
    pub const PROTOCOL_KERNEL: u8 = 2;
    /// `RTPROT_BOOT`: ip(8)'s when not told otherwise.
    pub const PROTOCOL_BOOT: u8 = 3;
    /// `RTPROT_STATIC`.
    pub const PROTOCOL_STATIC: u8 = 4;
    /// `RTPROT_RA`.
    pub const PROTOCOL_RA: u8 = 9;
    /// `RTPROT_DHCP`.
    pub const PROTOCOL_DHCP: u8 = 16;
    /// `RT_SCOPE_UNIVERSE`.
    pub const SCOPE_UNIVERSE: u8 = 0;
    /// `RT_SCOPE_LINK`.
    pub const SCOPE_LINK: u8 = 253;
    /// `RT_SCOPE_HOST`.
    pub const SCOPE_HOST: u8 = 254;

    /// A route as ip(8) makes it: `ip route add dst/prefix_len [via gateway] [dev link]`. Host bits are cleared; the metric is 1024
    /// for IPv6.
    #[must_use]
    pub fn new(dst: IpAddr, prefix_len: u8, gateway: Option<IpAddr>, link: Option<LinkId>) -> Self {
        let v4 = dst.is_ipv4();
        Self {
            dst: network(dst, prefix_len),
            prefix_len,
            gateway,
            link,
            metric: if v4 { 0 } else { 1024 },
            source: None,
            kind: RouteKind::Unicast,
            protocol: Self::PROTOCOL_BOOT,
            scope: if gateway.is_none() && v4 { Self::SCOPE_LINK } else { Self::SCOPE_UNIVERSE },
            table: Self::TABLE_MAIN,
            on_link: false,
            mtu: None,
            expires_ns: None,
        }
    }

    /// The default route of the gateway's family.
    #[must_use]
    pub fn default_via(gateway: IpAddr, link: Option<LinkId>) -> Self {
        Self::new(any_of(gateway), 0, Some(gateway), link)
    }

    fn covers(&self, ip: IpAddr) -> bool {
        covers(self.dst, self.prefix_len, ip)
    }
}

/// The way to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) link: LinkId,
    /// The source address for who has not bound one.
    pub(crate) source: IpAddr,
    /// Who is asked to carry it on.
    pub(crate) gateway: Option<IpAddr>,
    /// What the route says of its MTU.
    pub(crate) mtu: Option<usize>,
}

/// What narrows a search.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hints {
    /// `SO_BINDTODEVICE`, a scope identifier, `IP_PKTINFO`'s interface.
    pub(crate) link: Option<LinkId>,
    /// The packet's source address, if it has one yet.
    pub(crate) source: Option<IpAddr>,
    /// Where it came in; none: it is made here.
    pub(crate) from_link: Option<LinkId>,
    /// `SO_MARK`.
    pub(crate) mark: u32,
}

impl Hints {
    pub(crate) fn link(link: Option<LinkId>) -> Self {
        Self { link, ..Self::default() }
    }
}

/// The routes that were made, best first: longest prefix, then lowest metric, then oldest.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    routes: Vec<Route>,
    /// The tables that a route was in at some time, and whether of IPv6: those are there.
    tables: BTreeSet<(bool, u32)>,
    /// Grows with every change of links, addresses and routes: who remembers a way asks again.
    generation: u64,
}

impl Routes {
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn note_change(&mut self) {
        self.generation += 1;
    }

    /// The best route of a table.
    fn find(&self, links: &Links, table: u32, dst: IpAddr, hints: Hints) -> Option<&Route> {
        let usable = |id: LinkId| links.get(id).is_some_and(Link::is_usable);
        self.routes.iter().find(|route| {
            route.table == table
                && route.covers(dst)
                && match route.link {
                    Some(link) => hints.link.is_none_or(|wanted| wanted == link) && usable(link),
                    None => hints.link.is_none(),
                }
        })
    }
}

impl Stack {
    /// The route that rules and tables say.
    fn find_route(&self, dst: IpAddr, hints: Hints) -> Result<&Route, Errno> {
        self.rules.find(&self.links, dst, &hints, |table| self.routes.find(&self.links, table, dst, hints))
    }

    /// The way to `dst`: this host, else the longest prefix with the lowest metric.
    ///
    /// # Errors
    /// `ENETUNREACH`: none. `EINVAL`, `EHOSTUNREACH`, `EACCES`: a route says so.
    pub(crate) fn way(&self, dst: IpAddr, hints: Hints) -> Result<Way, Errno> {
        if self.links.is_local(dst) {
            let (gateway, mtu) = (None, None);
            return Ok(Way { link: LinkId::LO, source: self.local_source(dst), gateway, mtu });
        }
        if let Some((link, source)) = self.links.directed_broadcast(dst)
            && hints.link.is_none_or(|wanted| wanted == link)
        {
            return Ok(Way { link, source, gateway: None, mtu: None });
        }
        if let Some(link) = self.group_link(dst, hints) {
            return Ok(Way { link, source: self.source_for(link, dst, None), gateway: None, mtu: None });
        }
        let route = self.find_route(dst, hints)?;
        let link = route.link.ok_or_else(|| route.kind.refusal())?;
        let source = route.source.unwrap_or_else(|| self.source_for(link, dst, route.gateway));
        let mtu = route.mtu.and_then(|mtu| usize::try_from(mtu).ok());
        Ok(Way { link, source, gateway: route.gateway, mtu })
    }

    /// Addresses of ours are their own source; others of `lo`'s networks have the one that `lo` has.
    fn local_source(&self, dst: IpAddr) -> IpAddr {
        let own = self.links.iter().any(|link| link.addrs.iter().any(|address| address.ip == dst));
        let network = || match dst {
            IpAddr::V4(v4) if v4.is_loopback() => Some(Ipv4Addr::LOCALHOST.into()),
            _ => self.links.local_network(dst),
        };
        if own { dst } else { network().unwrap_or(dst) }
    }

    /// Where a packet to a group or to all hosts goes without a route: to the link that is asked for, and for IPv6 to the first
    /// one there is (`ff00::/8` is in Linux's local table for each link).
    fn group_link(&self, dst: IpAddr, hints: Hints) -> Option<LinkId> {
        let group = dst.is_multicast() || matches!(dst, IpAddr::V4(v4) if v4.is_broadcast());
        let usable = |link: &&Link| link.is_usable();
        match (hints.link, dst) {
            _ if !group => None,
            (Some(link), _) => self.links.get(link).filter(usable).map(|l| l.id),
            (None, IpAddr::V6(_)) => {
                self.links.iter().filter(usable).find(|l| !l.is_loopback()).map(|l| l.id)
            }
            (None, IpAddr::V4(_)) => None,
        }
    }

    /// Who gets a packet to `dst` that leaves by `link`: a gateway, or its destination itself.
    pub(crate) fn next_hop(&self, link: LinkId, dst: IpAddr, source: Option<IpAddr>) -> IpAddr {
        // Who came in by another link is not known any more; its packets go the same way as those made here.
        let hints = Hints { link: Some(link), source, from_link: None, mark: self.mark };
        let route = self.find_route(dst, hints).ok();
        route.and_then(|route| route.gateway).unwrap_or(dst)
    }

    /// Whether there is a routing table with this number.
    #[must_use]
    pub fn has_table(&self, v6: bool, table: u32) -> bool {
        matches!(table, Route::TABLE_MAIN | Route::TABLE_LOCAL) || self.routes.tables.contains(&(v6, table))
    }

    /// `RTM_GETROUTE` dumps: the routes that were made, in table main, and those that follow from addresses, in table local.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        self.routes.routes.iter().cloned().chain(self.local_table()).collect()
    }

    /// Table local: what follows from addresses.
    pub(crate) fn local_table(&self) -> Vec<Route> {
        let up = self.links.iter().filter(|l| l.up);
        up.flat_map(|link| link.addrs.iter().flat_map(move |address| local_routes(link, address))).collect()
    }

    /// Tells how table local has changed since it was this.
    pub(crate) fn tell_local_routes(&mut self, before: Vec<Route>) {
        let after = self.local_table();
        for route in after.iter().filter(|route| !before.contains(route)) {
            self.note_event(Event::Route(Change::New, route.clone()));
        }
        // A network goes before its addresses (net/ipv4/fib_frontend.c, fib_del_ifaddr).
        let is_address = |route: &Route| route.prefix_len == if route.dst.is_ipv4() { 32 } else { 128 };
        let mut gone: Vec<_> = before.into_iter().filter(|route| !after.contains(route)).collect();
        gone.sort_by_key(|route| is_address(route) && route.kind == RouteKind::Local);
        for route in gone {
            self.note_event(Event::Route(Change::Del, route));
        }
    }

    /// [`Stack::route_for`] a packet without a source address and a mark.
    ///
    /// # Errors
    /// As there.
    pub fn route_to(&self, dst: IpAddr, link: Option<LinkId>) -> Result<Route, Errno> {
        self.route_for(dst, link, None, 0)
    }

    /// `ip route get`: the route that a packet to `dst` takes, as it is, with the source address filled in. `link`: as if bound to it;
    /// `source`, `mark`: its source address and `SO_MARK`.
    ///
    /// # Errors
    /// `ENETUNREACH`: none. `EINVAL`, `EHOSTUNREACH`, `EACCES`: a route says so.
    pub fn route_for(
        &self,
        dst: IpAddr,
        link: Option<LinkId>,
        source: Option<IpAddr>,
        mark: u32,
    ) -> Result<Route, Errno> {
        let hints = Hints { link, source, mark, from_link: None };
        let way = self.way(dst, hints)?;
        let most = if dst.is_ipv4() { 32 } else { 128 };
        let local = way.link == LinkId::LO && self.links.is_local(dst);
        let mut route = Route::new(dst, most, way.gateway, Some(way.link));
        route.source = Some(source.unwrap_or(way.source));
        route.table = self.find_route(dst, hints).map_or(Route::TABLE_MAIN, |route| route.table);
        route.mtu = way.mtu.and_then(|mtu| u32::try_from(mtu).ok());
        route.protocol = 0;
        route.scope = Route::SCOPE_UNIVERSE;
        if local {
            (route.kind, route.table) = (RouteKind::Local, Route::TABLE_LOCAL);
        } else if self.links.is_broadcast(dst) {
            (route.kind, route.table) = (RouteKind::Broadcast, Route::TABLE_LOCAL);
        }
        Ok(route)
    }
}

/// What Linux has in its table `local` for an address (fib_add_ifaddr, addrconf).
fn local_routes(link: &Link, address: &Address) -> Vec<Route> {
    let most = if address.ip.is_ipv4() { 32 } else { 128 };
    let base = Route {
        kind: RouteKind::Local,
        protocol: Route::PROTOCOL_KERNEL,
        scope: if address.ip.is_ipv4() { Route::SCOPE_HOST } else { Route::SCOPE_UNIVERSE },
        table: Route::TABLE_LOCAL,
        metric: 0,
        source: address.ip.is_ipv4().then_some(address.ip),
        ..Route::new(address.ip, most, None, Some(link.id))
    };
    let mut routes = vec![base.clone()];
    if link.is_loopback() && address.ip.is_ipv4() && address.prefix_len < 32 {
        let dst = network(address.ip, address.prefix_len);
        routes.push(Route { dst, prefix_len: address.prefix_len, ..base.clone() });
    }
    if let IpAddr::V4(v4) = address.ip
        && address.prefix_len < 31
    {
        let host_bits = u32::MAX.checked_shr(u32::from(address.prefix_len)).unwrap_or(0);
        let dst = Ipv4Addr::from_bits(v4.to_bits() | host_bits).into();
        routes.push(Route { dst, kind: RouteKind::Broadcast, scope: Route::SCOPE_LINK, ..base });
    }
    routes
}

/// Whether the first `len` bits are the same.
pub(crate) fn covers(net: IpAddr, len: u8, ip: IpAddr) -> bool {
    common_bits(net, ip).is_some_and(|common| common >= u32::from(len))
}

/// How many bits two addresses of one family have in common at their beginning.
pub(crate) fn common_bits(a: IpAddr, b: IpAddr) -> Option<u32> {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        _ => None,
    }
}

/// The address with all bits behind the prefix cleared.
pub(crate) fn network(ip: IpAddr, len: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = !u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = !u128::MAX.checked_shr(u32::from(len)).unwrap_or(0);
            std::net::Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

fn any_of(ip: IpAddr) -> IpAddr {
    network(ip, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, LinkConfig};

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn longest_prefix_wins_and_own_addresses_stay_here() {
        let mut stack = Stack::new(Config { seed: 1 });
        let mut add = |name: &str, addr: (IpAddr, u8)| {
            let config = LinkConfig { addrs: vec![addr], ..LinkConfig::ip(name) };
            stack.add_link(config).expect("a link")
        };
        let wide = add("a", (ip("10.0.0.1"), 8));
        let narrow = add("b", (ip("10.1.0.1"), 16));
        let default = Route::new(ip("0.0.0.0"), 0, None, Some(wide));
        assert_eq!(stack.add_route(default, RouteUpdate::Add), Ok(()));
        let way = |dst| stack.way(ip(dst), Hints::default()).map(|w| (w.link, w.source));
        assert_eq!(way("10.1.2.3"), Ok((narrow, ip("10.1.0.1"))));
        assert_eq!(way("10.2.2.3"), Ok((wide, ip("10.0.0.1"))));
        assert_eq!(way("192.0.2.1"), Ok((wide, ip("10.0.0.1"))));
        assert_eq!(way("10.1.0.1"), Ok((LinkId::LO, ip("10.1.0.1"))));
        assert_eq!(way("127.9.9.9"), Ok((LinkId::LO, ip("127.0.0.1"))));
        assert_eq!(way("2001:db8::1"), Err(Errno::ENETUNREACH));
    }
}
