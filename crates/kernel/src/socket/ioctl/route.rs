//! Routes as route(8) makes them (ip(7), `SIOCADDRT` and `SIOCDELRT`).

use super::{ipv4_of, prefix_of};
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::raw::net::AF_INET6;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tcpip::{LinkId, Route, RouteKind, RouteMatch, RouteUpdate};

/// `sizeof (struct rtentry)`.
const RTENTRY_LEN: u64 = 120;
/// `sizeof (struct in6_rtmsg)`.
const IN6_RTMSG_LEN: u64 = 80;
// linux/route.h
const RTF_GATEWAY: u32 = 0x2;
const RTF_HOST: u32 = 0x4;
const RTF_REJECT: u32 = 0x200;

/// Adds a route, or removes the one that agrees.
///
/// # Errors
/// `EPERM`. `ENODEV`: no such interface. `EINVAL`: a mask with gaps. Others: as [`tcpip::Stack::add_route`].
pub(super) fn change(cx: &mut Cx<'_>, family: u32, addr: u64, add: bool) -> Answer {
    cx.check_rules()?;
    let (route, metric) = if family == AF_INET6 { ipv6(cx, addr)? } else { ipv4(cx, addr)? };
    let stack = &mut cx.kernel.net.stack;
    if add {
        stack.add_route(route, RouteUpdate::Add)?;
        return Ok(0);
    }
    stack.remove_route(&RouteMatch {
        gateway: route.gateway,
        link: route.link,
        metric,
        ..RouteMatch::to(route.dst, route.prefix_len)
    })?;
    Ok(0)
}

/// Reads a `struct rtentry`: the route, and its metric if one is said.
fn ipv4(cx: &Cx<'_>, addr: u64) -> Result<(Route, Option<u32>), Stop> {
    let entry = cx.call.mem.read(addr, RTENTRY_LEN)?;
    let short = |at: usize| u16::from_ne_bytes([entry[at], entry[at + 1]]);
    let flags = u32::from(short(56));
    let name_at = entry[88..].first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    let link = match name_at {
        0 => None,
        at => Some(device(cx, at)?),
    };
    let prefix_len = if flags & RTF_HOST != 0 { 32 } else { prefix_of(ipv4_of(&entry[40..56])?)? };
    let gateway = if flags & RTF_GATEWAY != 0 { Some(IpAddr::V4(ipv4_of(&entry[24..40])?)) } else { None };
    let dst: Ipv4Addr = ipv4_of(&entry[8..24])?;
    let mut route = Route::new(dst.into(), prefix_len, gateway, link);
    // Bits behind the prefix are refused, not cleared.
    route.dst = dst.into();
    if flags & RTF_REJECT != 0 {
        route.kind = RouteKind::Unreachable;
    }
    // `rt_metric` is one more than the metric, 0: none is said (fib_frontend.c, rtentry_to_fib_config).
    let metric = short(80).checked_sub(1).map(u32::from);
    route.metric = metric.unwrap_or(route.metric);
    Ok((route, metric))
}

/// The interface that `rt_dev` names; what follows a colon is an alias.
fn device(cx: &Cx<'_>, at: u64) -> Result<LinkId, Stop> {
    let name = cx.call.mem.read_string(at)?;
    let name = name.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = str::from_utf8(name).map_err(|_| Errno::ENODEV)?;
    cx.kernel.net.stack.link_named(name).ok_or(Errno::ENODEV.into())
}

/// Reads a `struct in6_rtmsg`.
fn ipv6(cx: &Cx<'_>, addr: u64) -> Result<(Route, Option<u32>), Stop> {
    let message = cx.call.mem.read(addr, IN6_RTMSG_LEN)?;
    let ip = |at: usize| {
        message[at..].first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes)).ok_or(Errno::EINVAL)
    };
    let number = |at: usize| message[at..].first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    let (gateway, index, metric) = (ip(32)?, number(76), number(56));
    let prefix_len =
        u8::try_from(u16::from_ne_bytes([message[52], message[53]])).map_err(|_| Errno::EINVAL)?;
    let link = (index != 0).then(|| LinkId::from_index(index));
    let gateway = (!gateway.is_unspecified()).then_some(IpAddr::V6(gateway));
    let mut route = Route::new(ip(0)?.into(), prefix_len, gateway, link);
    let metric = (metric != 0).then_some(metric);
    route.metric = metric.unwrap_or(route.metric);
    Ok((route, metric))
}
