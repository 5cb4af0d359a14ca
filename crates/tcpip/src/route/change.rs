//! Routes come and go (`ip route`).

use std::net::IpAddr;

use abi::Errno;

use super::{Hints, Route, RouteKind, network};
use crate::{
    Stack,
    event::{Change, Event},
    link::Address,
    types::LinkId,
};

/// A table larger than this is no host's; each packet's way is looked for in it.
const ROUTES_MAX: usize = 4096;

/// What to do about a route that is there already (netlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteUpdate {
    /// `ip route add`, `NLM_F_CREATE | NLM_F_EXCL`: `EEXIST` if there is one to this prefix with this metric.
    Add,
    /// `ip route append`, `NLM_F_CREATE | NLM_F_APPEND`: behind it.
    Append,
    /// `ip route replace`, `NLM_F_CREATE | NLM_F_REPLACE`: in its place.
    Replace,
    /// `ip route change`, `NLM_F_REPLACE`: in its place; `ENOENT` if there is none.
    Change,
}

/// Which routes are meant: those that agree in all that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteMatch {
    /// The network.
    pub dst: IpAddr,
    /// Length of its prefix.
    pub prefix_len: u8,
    /// `RTA_GATEWAY`.
    pub gateway: Option<IpAddr>,
    /// `RTA_OIF`.
    pub link: Option<LinkId>,
    /// `RTA_PRIORITY`.
    pub metric: Option<u32>,
    /// `RTA_PREFSRC`.
    pub source: Option<IpAddr>,
    /// `RTPROT_*`.
    pub protocol: Option<u8>,
    /// `RTN_*`.
    pub kind: Option<RouteKind>,
    /// `RT_TABLE_*`.
    pub table: u32,
}

impl RouteMatch {
    /// All routes to a prefix.
    #[must_use]
    pub const fn to(dst: IpAddr, prefix_len: u8) -> Self {
        Self {
            dst,
            prefix_len,
            gateway: None,
            link: None,
            metric: None,
            source: None,
            protocol: None,
            kind: None,
            table: Route::TABLE_MAIN,
        }
    }

    fn fits(&self, route: &Route) -> bool {
        let agrees =
            route.table == self.table && route.dst == self.dst && route.prefix_len == self.prefix_len;
        agrees
            && self.gateway.is_none_or(|gateway| route.gateway == Some(gateway))
            && self.link.is_none_or(|link| route.link == Some(link))
            && self.metric.is_none_or(|metric| route.metric == metric)
            && self.source.is_none_or(|source| route.source == Some(source))
            && self.protocol.is_none_or(|protocol| route.protocol == protocol)
            && self.kind.is_none_or(|kind| route.kind == kind)
    }
}

impl Stack {
    /// `RTM_NEWROUTE`.
    ///
    /// # Errors
    /// `EINVAL`: a prefix that is too long or has bits behind it, families mixed, a source address that is not ours, a gateway that is
    /// ours, table local. `ENODEV`: no such link, or none said. `ENETDOWN`: the link is down. `ENETUNREACH` (IPv6:
    /// `EHOSTUNREACH`): the gateway is nobody's neighbour. `EEXIST`, `ENOENT`: see [`RouteUpdate`]. `ENOBUFS`: too many.
    pub fn add_route(&mut self, mut route: Route, update: RouteUpdate) -> Result<(), Errno> {
        self.check_route(&mut route)?;
        let routes = &mut self.routes.routes;
        // IPv6 knows the next hop too: two default routers may have the same metric.
        let v6 = route.dst.is_ipv6();
        let same = |r: &Route| {
            r.table == route.table
                && r.dst == route.dst
                && r.prefix_len == route.prefix_len
                && r.metric == route.metric
        };
        let same_way = |r: &Route| same(r) && r.gateway == route.gateway && r.link == route.link;
        let twin = routes.iter().position(|r| if v6 { same_way(r) } else { same(r) });
        let there = routes.iter().position(same);
        match update {
            RouteUpdate::Add if twin.is_some() => return Err(Errno::EEXIST),
            RouteUpdate::Append if routes.iter().any(same_way) => return Err(Errno::EEXIST),
            RouteUpdate::Change if there.is_none() => return Err(Errno::ENOENT),
            RouteUpdate::Replace | RouteUpdate::Change if there.is_some() => {
                if let Some(old) = there.and_then(|at| routes.get_mut(at)) {
                    old.clone_from(&route);
                }
            }
            _ if routes.len() >= ROUTES_MAX => return Err(Errno::ENOBUFS),
            _ => {
                let rank = |r: &Route| (std::cmp::Reverse(r.prefix_len), r.metric);
                let at = routes.partition_point(|r| rank(r) <= rank(&route));
                routes.insert(at, route.clone());
            }
        }
        self.routes.tables.insert((route.dst.is_ipv6(), route.table));
        self.routes.note_change();
        self.watch_expiry(route.expires_ns);
        self.note_event(Event::Route(Change::New, route));
        Ok(())
    }

    /// `RTM_DELROUTE`: removes the first route that fits.
    ///
    /// # Errors
    /// `ESRCH`: there is none.
    pub fn remove_route(&mut self, which: &RouteMatch) -> Result<(), Errno> {
        let at = self.routes.routes.iter().position(|r| which.fits(r)).ok_or(Errno::ESRCH)?;
        let route = self.routes.routes.remove(at);
        self.routes.note_change();
        self.note_event(Event::Route(Change::Del, route));
        Ok(())
    }

    fn check_route(&self, route: &mut Route) -> Result<(), Errno> {
        let most = if route.dst.is_ipv4() { 32 } else { 128 };
        let mixed = |ip: Option<IpAddr>| ip.is_some_and(|ip| ip.is_ipv4() != route.dst.is_ipv4());
        let stray = route.prefix_len > most || network(route.dst, route.prefix_len) != route.dst;
        if stray || mixed(route.gateway) || mixed(route.source) || route.table == Route::TABLE_LOCAL {
            return Err(Errno::EINVAL);
        }
        if route.source.is_some_and(|source| !self.links.is_local(source)) {
            return Err(Errno::EINVAL);
        }
        if !route.kind.goes_somewhere() {
            (route.link, route.gateway) = (None, None);
            return Ok(());
        }
        if let Some(id) = route.link {
            let link = self.links.get(id).ok_or(Errno::ENODEV)?;
            if !link.up {
                return Err(Errno::ENETDOWN);
            }
        }
        let found = match route.gateway {
            Some(gateway) => self.check_gateway(route, gateway)?,
            None => route.link,
        };
        route.link = Some(found.ok_or(Errno::ENODEV)?);
        Ok(())
    }

    /// The link on which a gateway is a neighbour (fib_check_nh, ip6_route_check_nh).
    fn check_gateway(&self, route: &Route, gateway: IpAddr) -> Result<Option<LinkId>, Errno> {
        if self.links.is_local(gateway) || !crate::addr::is_unicast(gateway) {
            return Err(Errno::EINVAL);
        }
        let scoped = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if scoped && route.link.is_none() {
            return Err(Errno::EINVAL);
        }
        if route.on_link && route.link.is_some() {
            return Ok(route.link);
        }
        let way = self.find_route(gateway, Hints::link(route.link)).ok();
        let near = way.filter(|way| way.gateway.is_none() && way.kind == RouteKind::Unicast);
        let unreachable = if gateway.is_ipv4() { Errno::ENETUNREACH } else { Errno::EHOSTUNREACH };
        near.map(|way| way.link).ok_or(unreachable)
    }

    /// The route to an address's prefix.
    pub(crate) fn add_connected_route(&mut self, link: LinkId, address: &Address) {
        let most = if address.ip.is_ipv4() { 32 } else { 128 };
        // On lo all of a network of IPv4 is local.
        let own = link == LinkId::LO && (address.ip.is_ipv4() || address.prefix_len == most);
        if address.has(Address::NOPREFIXROUTE)
            || own
            || (address.ip.is_ipv4() && address.prefix_len == most)
            || address.has(Address::SECONDARY)
        {
            return;
        }
        let v4 = address.ip.is_ipv4();
        let route = Route {
            metric: if v4 { 0 } else { 256 },
            source: v4.then_some(address.ip),
            protocol: Route::PROTOCOL_KERNEL,
            ..Route::new(address.ip, address.prefix_len, None, Some(link))
        };
        // Another link may have the same prefix: then both routes are there, as on Linux, and the older one is taken.
        let _ = self.add_route(route, RouteUpdate::Append);
    }

    /// Removes what depended on an address that is gone: the route to its prefix unless another address has it too, routes that
    /// prescribe it as their source, and routes over gateways that only it made neighbours.
    pub(crate) fn remove_routes_of_address(&mut self, link: LinkId, address: &Address) {
        let dst = network(address.ip, address.prefix_len);
        let still = self.links.get(link).is_some_and(|l| {
            l.addrs.iter().any(|a| a.prefix_len == address.prefix_len && a.covers(address.ip))
        });
        let local = self.links.is_local(address.ip);
        self.remove_routes(|route| {
            let connected = route.dst == dst
                && route.prefix_len == address.prefix_len
                && route.link == Some(link)
                && route.protocol == Route::PROTOCOL_KERNEL;
            (connected && !still) || (!local && route.source == Some(address.ip))
        });
    }

    pub(crate) fn remove_routes_of_link(&mut self, link: LinkId) {
        self.remove_routes(|route| route.link == Some(link));
    }

    /// Removes those whose time is over; when the next one's is.
    pub(crate) fn expire_routes(&mut self) -> Option<u64> {
        let now_ns = self.now_ns;
        self.remove_routes(|route| route.expires_ns.is_some_and(|at_ns| at_ns <= now_ns));
        self.routes.routes.iter().filter_map(|route| route.expires_ns).min()
    }

    fn remove_routes(&mut self, which: impl Fn(&Route) -> bool) {
        let gone: Vec<_> = self.routes.routes.extract_if(.., |route| which(route)).collect();
        if !gone.is_empty() {
            self.routes.note_change();
        }
        for route in gone {
            self.note_event(Event::Route(Change::Del, route));
        }
    }
}
