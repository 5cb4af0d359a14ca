//! Whether there can be such a network.

use crate::lab::document::Span;
use crate::lab::plan::{Host, Link, Plan};
use std::net::IpAddr;

/// Where something is impossible, and why.
type Wrong = (Span, String);

/// Checks what concerns more than one key, link or host.
///
/// # Errors
/// The first thing that cannot be.
pub(crate) fn check(plan: &Plan) -> Result<(), Wrong> {
    for segment in &plan.segments {
        let links = on_segment(plan, &segment.name);
        if links.is_empty() {
            return Err((segment.span.clone(), format!("no link is on segment '{}'", segment.name)));
        }
        distinct(&links)?;
    }
    for host in &plan.hosts {
        for link in &host.links {
            addresses(link)?;
            gateways(plan, link)?;
        }
        default_routes(host)?;
        ports(host)?;
    }
    Ok(())
}

/// The links on a segment, with their hosts' names.
fn on_segment<'p>(plan: &'p Plan, segment: &str) -> Vec<(&'p str, &'p Link)> {
    let links = plan.hosts.iter().flat_map(|host| host.links.iter().map(|link| (host.name.as_str(), link)));
    links.filter(|(_, link)| link.segment.as_deref() == Some(segment)).collect()
}

/// No two stations of a segment are the same.
fn distinct(links: &[(&str, &Link)]) -> Result<(), Wrong> {
    for (at, (_, link)) in links.iter().enumerate() {
        for (host, other) in &links[..at] {
            let there = format!("{host}'s {} has it on the same segment", other.name);
            let same = |(ip, _): &&(IpAddr, u8)| other.spec.addrs.iter().any(|(other, _)| other == ip);
            if let Some((ip, _)) = link.spec.addrs.iter().find(same) {
                return Err((span(link, "addr", &ip.to_string()), format!("address {ip} twice: {there}")));
            }
            if let Some(mac) = link.spec.mac.filter(|mac| other.spec.mac == Some(*mac)) {
                return Err((span(link, "mac", ""), format!("Ethernet address {mac} twice: {there}")));
            }
        }
    }
    Ok(())
}

/// The first and the last address of an IPv4 network are no host's (RFC 1122, 3.2.1.3), but in networks of two (RFC 3021).
fn addresses(link: &Link) -> Result<(), Wrong> {
    for (ip, len) in &link.spec.addrs {
        let IpAddr::V4(ip) = ip else { continue };
        let host_bits = u32::MAX.checked_shr(u32::from(*len)).unwrap_or(0);
        let what = match ip.to_bits() & host_bits {
            _ if *len > 30 => continue,
            0 => "the network itself",
            bits if bits == host_bits => "the network's broadcast address",
            _ => continue,
        };
        return Err((
            span(link, "addr", &ip.to_string()),
            format!("{ip}/{len} is no host's address: it is {what}"),
        ));
    }
    Ok(())
}

/// A gateway is a neighbour, and there is such a host.
fn gateways(plan: &Plan, link: &Link) -> Result<(), Wrong> {
    let default = link.spec.gateways.iter().map(|ip| (*ip, "gw"));
    let routes = link.spec.routes.iter().map(|(_, _, ip)| (*ip, "route"));
    for (ip, key) in default.chain(routes) {
        let wrong = |why: String| Err((span(link, key, &ip.to_string()), why));
        if link.spec.addrs.iter().any(|(own, _)| *own == ip) {
            return wrong(format!("gateway {ip} is the link's own address"));
        }
        let link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let near = link.spec.addrs.iter().any(|(own, len)| same_network(*own, ip, *len));
        if !near && !link_local && !link.spec.dhcp {
            return wrong(format!("gateway {ip} is in none of the networks of link '{}'", link.name));
        }
        let Some(segment) = &link.segment else { continue };
        let there = on_segment(plan, segment);
        let has = |(_, other): &(&str, &Link)| {
            other.spec.dhcp || other.spec.addrs.iter().any(|(own, _)| *own == ip)
        };
        if !link_local && !there.iter().any(has) {
            return wrong(format!("no host on segment '{segment}' has the gateway's address {ip}"));
        }
    }
    Ok(())
}

/// One default gateway for each family.
fn default_routes(host: &Host) -> Result<(), Wrong> {
    for family in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
        let all = host.links.iter().flat_map(|link| link.spec.gateways.iter().map(move |ip| (link, ip)));
        let mut all = all.filter(|(_, ip)| family(ip));
        if let (Some((first, _)), Some((second, ip))) = (all.next(), all.next()) {
            let why = format!("'{}' has a default gateway already, on link '{}'", host.name, first.name);
            return Err((span(second, "gw", &ip.to_string()), why));
        }
    }
    Ok(())
}

/// Two programs cannot listen on one port.
fn ports(host: &Host) -> Result<(), Wrong> {
    for (at, program) in host.programs.iter().enumerate() {
        let same =
            host.programs[..at].iter().find(|other| program.port.is_some() && other.port == program.port);
        if let Some(other) = same {
            let why = format!("program '{}' listens on the port of '{}'", program.name, other.name);
            return Err((program.span.clone(), why));
        }
    }
    Ok(())
}

/// Where a key of a link stands whose value holds this text.
fn span(link: &Link, key: &str, text: &str) -> Span {
    let found = link.pairs.iter().find(|pair| pair.key == key && pair.value.contains(text));
    found.map_or(link.span.clone(), |pair| pair.span.clone())
}

/// Whether two addresses share the first bits.
pub(crate) fn same_network(one: IpAddr, other: IpAddr, len: u8) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let beyond = 128_u32.saturating_sub(u32::from(len));
    let differing = bits(one) ^ bits(other);
    one.is_ipv4() == other.is_ipv4() && differing.checked_shr(beyond).unwrap_or(0) == 0
}
