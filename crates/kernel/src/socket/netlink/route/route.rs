//! Routes: `ip route`.

use super::super::wire::{Attributes, Refusal, Request, attribute};
use super::{Listed, Row, Serve, family_of, ip, octets, wants};
use crate::Kernel;
use crate::socket::interface;
use abi::Errno;
use abi::raw::net::{AF_INET, AF_INET6};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tcpip::{LinkId, Route, RouteKind, RouteMatch, RouteUpdate, Stack};

// linux/rtnetlink.h
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_IIF: u16 = 3;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_CACHEINFO: u16 = 12;
const RTA_TABLE: u16 = 15;
const RTA_MARK: u16 = 16;
const RTA_VIA: u16 = 18;
const RTA_PREF: u16 = 20;
const RTA_ENCAP: u16 = 22;
const RTA_EXPIRES: u16 = 23;
const RTA_UID: u16 = 25;
const RTAX_MTU: u16 = 2;
const RTNH_F_ONLINK: u32 = 4;
const RTNH_F_LINKDOWN: u32 = 16;
/// `RTM_F_CLONED`: not in a table, but the way of one packet.
const RTM_F_CLONED: u32 = 0x200;
/// `RTCF_LOCAL`, `RTCF_BROADCAST` of linux/in_route.h, which ip(8) shows.
const RTCF_LOCAL: u32 = 0x8000_0000;
const RTCF_BROADCAST: u32 = 0x1000_0000;
const RT_TABLE_COMPAT: u32 = 252;

/// `sizeof (struct rtmsg)`.
const RTMSG: usize = 12;

/// The kinds that routes can be of, by `RTN_*`.
const KINDS: &[(u8, RouteKind)] = &[
    (1, RouteKind::Unicast),
    (2, RouteKind::Local),
    (3, RouteKind::Broadcast),
    (5, RouteKind::Multicast),
    (6, RouteKind::Blackhole),
    (7, RouteKind::Unreachable),
    (8, RouteKind::Prohibit),
];

/// The types that tell of a route.
pub(in super::super) const NEW_DEL: [u16; 2] = [RTM_NEWROUTE, RTM_DELROUTE];

pub(super) const ROWS: &[Row] = &[
    Row(RTM_GETROUTE, Serve::Get { reply: RTM_NEWROUTE, all, one: Some(one) }),
    Row(RTM_NEWROUTE, Serve::Set(add)),
    Row(RTM_DELROUTE, Serve::Set(delete)),
];

/// Those of the family that the `struct rtmsg` asks for; strictly, of the table, protocol, kind and link that it says, too.
fn all(k: &Kernel, request: Request<'_>) -> Result<Listed, Refusal> {
    let mut routes = interface::routes(&k.net.stack);
    let family = request.byte(0);
    routes.retain(|route| wants(family, route.dst));
    let mut filtered = false;
    if request.manners.strict {
        let filter = Filter::read(request)?;
        filter.check_table(&k.net.stack, family)?;
        filtered = filter.is_some();
        routes.retain(|route| filter.fits(route));
    }
    Ok(Listed { bodies: routes.iter().map(|route| body(k, route, 0)).collect(), filtered })
}

/// Which routes a list is to have (net/ipv4/fib_frontend.c, ip_valid_fib_dump_req); 0 and none: any.
struct Filter {
    table: u32,
    protocol: u8,
    kind: Option<RouteKind>,
    link: Option<LinkId>,
}

impl Filter {
    fn read(request: Request<'_>) -> Result<Self, Errno> {
        let attributes = request.attributes(RTMSG);
        Ok(Self {
            table: attributes.number(RTA_TABLE)?.unwrap_or(u32::from(request.byte(4))),
            protocol: request.byte(5),
            kind: kind(request.byte(7))?,
            link: attributes.number(RTA_OIF)?.map(LinkId::from_index),
        })
    }

    fn is_some(&self) -> bool {
        self.table != 0 || self.protocol != 0 || self.kind.is_some() || self.link.is_some()
    }

    /// A table is there once it had a route.
    fn check_table(&self, stack: &Stack, family: u8) -> Result<(), Refusal> {
        let missing = |v6| self.table != 0 && !stack.has_table(v6, self.table);
        match u32::from(family) {
            AF_INET if missing(false) => {
                Err(Refusal::because(Errno::ENOENT, "ipv4: FIB table does not exist"))
            }
            AF_INET6 if missing(true) => Err(Refusal::because(Errno::ENOENT, "FIB table does not exist")),
            _ => Ok(()),
        }
    }

    fn fits(&self, route: &Route) -> bool {
        (self.table == 0 || route.table == self.table)
            && (self.protocol == 0 || route.protocol == self.protocol)
            && self.kind.is_none_or(|kind| route.kind == kind)
            && self.link.is_none_or(|link| route.link == Some(link))
    }
}

/// `ip route get`: the way to one destination.
fn one(k: &Kernel, request: Request<'_>) -> Result<Vec<u8>, Refusal> {
    let attributes = request.attributes(RTMSG);
    let family = request.byte(0);
    let dst = ip(&attributes, RTA_DST, family)?.ok_or(Errno::EINVAL)?;
    let source = ip(&attributes, RTA_SRC, family)?;
    let link = attributes.number(RTA_OIF)?.map(LinkId::from_index);
    let mark = attributes.number(RTA_MARK)?.unwrap_or(0);
    if attributes.get(RTA_IIF).is_some() {
        // The way of packets that come in.
        return Err(Errno::EOPNOTSUPP.into());
    }
    let stack = &k.net.stack;
    if source.is_some_and(|source| is_foreign(stack, source)) {
        return Err(Errno::ENETUNREACH.into());
    }
    let mut route = stack.route_for(dst, link, source, mark)?;
    if stack.rules_are_plain() {
        // Without rules of their own, Linux looks in both tables as in one, which is main.
        route.table = Route::TABLE_MAIN;
    }
    let cache = match route.kind {
        RouteKind::Local => RTM_F_CLONED | RTCF_LOCAL,
        RouteKind::Broadcast => RTM_F_CLONED | RTCF_BROADCAST,
        _ => RTM_F_CLONED,
    };
    if source.is_some() {
        route.source = None;
    }
    let mut bytes = body(k, &route, cache);
    if let Some(source) = source {
        // rtm_src_len.
        bytes[2] = if source.is_ipv4() { 32 } else { 128 };
        attribute(&mut bytes, RTA_SRC, &octets(source));
    }
    if mark != 0 {
        attribute(&mut bytes, RTA_MARK, &mark.to_ne_bytes());
    }
    attribute(&mut bytes, RTA_UID, &k.caller_credentials().uid.to_ne_bytes());
    Ok(bytes)
}

/// Whether an address is not one of ours.
fn is_foreign(stack: &Stack, ip: IpAddr) -> bool {
    !stack.addresses().iter().any(|(_, own)| own.ip == ip)
}

/// What a request says of a route.
struct Asked<'a> {
    dst: IpAddr,
    prefix_len: u8,
    table: u32,
    attributes: Attributes<'a>,
    family: u8,
}

impl<'a> Asked<'a> {
    fn read(request: Request<'a>) -> Result<Self, Errno> {
        let attributes = request.attributes(RTMSG);
        let family = request.byte(0);
        let any = match u32::from(family) {
            AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        let source_len = request.byte(2);
        let unknown = [RTA_MULTIPATH, RTA_VIA, RTA_ENCAP].iter().any(|kind| attributes.get(*kind).is_some());
        // Neither source routes nor routes by type of service.
        if unknown || source_len != 0 || request.byte(3) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let table = attributes.number(RTA_TABLE)?.unwrap_or(u32::from(request.byte(4)));
        Ok(Self {
            dst: ip(&attributes, RTA_DST, family)?.unwrap_or(any),
            prefix_len: request.byte(1),
            table: if table == 0 { Route::TABLE_MAIN } else { table },
            attributes,
            family,
        })
    }

    fn ip(&self, kind: u16) -> Result<Option<IpAddr>, Errno> {
        ip(&self.attributes, kind, self.family)
    }

    fn link(&self) -> Result<Option<LinkId>, Errno> {
        Ok(self.attributes.number(RTA_OIF)?.map(LinkId::from_index))
    }
}

fn add(stack: &mut Stack, now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let asked = Asked::read(request)?;
    let update = match (request.creates(), request.replaces(), request.is_exclusive()) {
        (true, _, true) => RouteUpdate::Add,
        (true, true, false) => RouteUpdate::Replace,
        (false, true, _) => RouteUpdate::Change,
        (true, false, false) => RouteUpdate::Append,
        (false, false, _) => return Err(Errno::ENOENT.into()),
    };
    let mut route = Route::new(asked.dst, asked.prefix_len, asked.ip(RTA_GATEWAY)?, asked.link()?);
    // Bits behind the prefix are refused, not cleared.
    route.dst = asked.dst;
    route.kind = kind(request.byte(7))?.unwrap_or(RouteKind::Unicast);
    route.protocol = request.byte(5);
    route.scope = request.byte(6);
    route.table = asked.table;
    route.source = asked.ip(RTA_PREFSRC)?;
    route.on_link = request.number(8) & RTNH_F_ONLINK != 0;
    route.metric = asked.attributes.number(RTA_PRIORITY)?.filter(|n| *n != 0).unwrap_or(route.metric);
    route.mtu = asked.attributes.nested(RTA_METRICS).number(RTAX_MTU)?;
    let seconds = asked.attributes.number(RTA_EXPIRES)?;
    route.expires_ns = seconds.map(|n| now_ns.saturating_add(u64::from(n) * 1_000_000_000));
    let wanted = route.clone();
    stack.add_route(route, update).map_err(|errno| explained(stack, &wanted, errno))
}

/// Why a route is refused, where Linux says so (net/ipv4/fib_semantics.c, fib_frontend.c, net/ipv6/route.c).
fn explained(stack: &Stack, route: &Route, errno: Errno) -> Refusal {
    let plain = Route::new(route.dst, route.prefix_len, None, None);
    let foreign = |source| is_foreign(stack, source);
    let text = match errno {
        Errno::EINVAL if route.dst.is_ipv6() && route.source.is_some_and(foreign) => "Invalid source address",
        _ if route.dst.is_ipv6() => return errno.into(),
        Errno::EINVAL if route.prefix_len > 32 => "Invalid prefix length",
        Errno::EINVAL if plain.dst != route.dst => "Invalid prefix for given prefix length",
        Errno::EINVAL if route.source.is_some_and(foreign) => "Invalid prefsrc address",
        Errno::EINVAL | Errno::ENETUNREACH if route.gateway.is_some() => "Nexthop has invalid gateway",
        Errno::ENETDOWN => "Device for nexthop is not up",
        _ => return errno.into(),
    };
    Refusal::because(errno, text)
}

fn delete(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let asked = Asked::read(request)?;
    Ok(stack.remove_route(&RouteMatch {
        table: asked.table,
        gateway: asked.ip(RTA_GATEWAY)?,
        link: asked.link()?,
        metric: asked.attributes.number(RTA_PRIORITY)?.filter(|n| *n != 0),
        source: asked.ip(RTA_PREFSRC)?,
        protocol: Some(request.byte(5)).filter(|n| *n != 0),
        kind: kind(request.byte(7))?,
        ..RouteMatch::to(asked.dst, asked.prefix_len)
    })?)
}

/// The kind of a number; 0: none is said.
fn kind(number: u8) -> Result<Option<RouteKind>, Errno> {
    if number == 0 {
        return Ok(None);
    }
    let found = KINDS.iter().find(|(known, _)| *known == number);
    found.map(|(_, kind)| Some(*kind)).ok_or(Errno::EINVAL)
}

/// A `struct rtmsg` with its attributes (net/ipv4/fib_semantics.c, fib_dump_info; net/ipv6/route.c, rt6_fill_node). `cache`: the flags
/// of an answer that is no entry of a table.
pub(in super::super) fn body(k: &Kernel, route: &Route, cache: u32) -> Vec<u8> {
    let number = KINDS.iter().find(|(_, kind)| *kind == route.kind).map_or(0, |(number, _)| *number);
    let table = u8::try_from(route.table).unwrap_or(RT_TABLE_COMPAT.to_le_bytes()[0]);
    let down = route.link.is_some_and(|id| k.net.stack.link(id).is_ok_and(|link| !link.running));
    let flags =
        cache | if route.on_link { RTNH_F_ONLINK } else { 0 } | if down { RTNH_F_LINKDOWN } else { 0 };
    let mut bytes =
        vec![family_of(route.dst), route.prefix_len, 0, 0, table, route.protocol, route.scope, number];
    bytes.extend_from_slice(&flags.to_ne_bytes());
    attribute(&mut bytes, RTA_TABLE, &route.table.to_ne_bytes());
    if route.prefix_len != 0 {
        attribute(&mut bytes, RTA_DST, &octets(route.dst));
    }
    if route.metric != 0 || route.dst.is_ipv6() {
        attribute(&mut bytes, RTA_PRIORITY, &route.metric.to_ne_bytes());
    }
    if let Some(mtu) = route.mtu {
        let mut metrics = Vec::new();
        attribute(&mut metrics, RTAX_MTU, &mtu.to_ne_bytes());
        attribute(&mut bytes, RTA_METRICS, &metrics);
    }
    if let Some(source) = route.source {
        attribute(&mut bytes, RTA_PREFSRC, &octets(source));
    }
    if let Some(gateway) = route.gateway {
        attribute(&mut bytes, RTA_GATEWAY, &octets(gateway));
    }
    if let Some(link) = route.link {
        attribute(&mut bytes, RTA_OIF, &link.index().to_ne_bytes());
    }
    if route.dst.is_ipv6() {
        attribute(&mut bytes, RTA_CACHEINFO, &cache_info(k, route));
        attribute(&mut bytes, RTA_PREF, &[0]);
    }
    bytes
}

/// `struct rta_cacheinfo`, of which only `rta_expires` (hundredths of seconds) is used.
fn cache_info(k: &Kernel, route: &Route) -> Vec<u8> {
    const LEN: usize = 32;
    let left = route.expires_ns.map_or(0, |at_ns| super::ticks(at_ns.saturating_sub(k.now.mono_ns)));
    let mut info = vec![0; 8];
    info.extend_from_slice(&left.to_ne_bytes());
    info.resize(LEN, 0);
    info
}
