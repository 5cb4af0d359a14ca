//! Rules that say which routing table is looked at: `ip rule`.

use super::super::wire::{Attributes, Refusal, Request, attribute};
use super::{Listed, Row, Serve, ip, octets};
use crate::Kernel;
use abi::Errno;
use abi::raw::net::{AF_INET, AF_INET6, AF_UNSPEC};
use std::net::IpAddr;
use tcpip::{Route, RouteKind, Rule, RuleAction, Stack};

// linux/rtnetlink.h
const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
// linux/fib_rules.h
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_PROTOCOL: u16 = 21;
/// `FRA_GOTO`, `FRA_FLOW`, `FRA_TUN_ID`, `FRA_SUPPRESS_IFGROUP`, `FRA_L3MDEV`, `FRA_UID_RANGE`, `FRA_IP_PROTO`, `FRA_SPORT_RANGE`,
/// `FRA_DPORT_RANGE`: what packets cannot be told apart by.
const REFUSED: [u16; 9] = [4, 11, 12, 13, 19, 20, 22, 23, 24];
const FIB_RULE_INVERT: u32 = 2;
const FIB_RULE_IIF_DETACHED: u32 = 8;
const FIB_RULE_OIF_DETACHED: u32 = 16;

/// `sizeof (struct fib_rule_hdr)`.
const HEADER: usize = 12;

/// What a rule does, by `FR_ACT_*`; tables are 1.
const REFUSALS: &[(u8, RouteKind)] =
    &[(6, RouteKind::Blackhole), (7, RouteKind::Unreachable), (8, RouteKind::Prohibit)];
const LOOK_IN_TABLE: u8 = 1;

/// The types that tell of a rule.
pub(in super::super) const NEW_DEL: [u16; 2] = [RTM_NEWRULE, RTM_DELRULE];

pub(super) const ROWS: &[Row] = &[
    Row(RTM_GETRULE, Serve::Get { reply: RTM_NEWRULE, all, one: None }),
    Row(RTM_NEWRULE, Serve::Set(add)),
    Row(RTM_DELRULE, Serve::Set(delete)),
];

/// Those of the family that the `struct fib_rule_hdr` asks for; first the one that is always there.
fn all(k: &Kernel, request: Request<'_>) -> Result<Listed, Refusal> {
    let wanted = u32::from(request.byte(0));
    let mut bodies = Vec::new();
    for (family, v6) in [(AF_INET, false), (AF_INET6, true)] {
        if wanted == AF_UNSPEC || wanted == family {
            bodies.push(body(&k.net.stack, &Rule::new(v6, 0, Route::TABLE_LOCAL)));
            let rules = k.net.stack.rules().iter().filter(|rule| rule.v6 == v6);
            bodies.extend(rules.map(|rule| body(&k.net.stack, rule)));
        }
    }
    Ok(bodies.into())
}

/// What a request says of a rule; none: it does not say.
struct Asked<'a> {
    attributes: Attributes<'a>,
    v6: bool,
    from: Option<(IpAddr, u8)>,
    to: Option<(IpAddr, u8)>,
    action: Option<RuleAction>,
    priority: Option<u32>,
    mark: Option<(u32, u32)>,
}

impl<'a> Asked<'a> {
    fn read(request: Request<'a>) -> Result<Self, Refusal> {
        let attributes = request.attributes(HEADER);
        let family = request.byte(0);
        let v6 = match u32::from(family) {
            AF_INET => false,
            AF_INET6 => true,
            _ => return Err(Errno::EAFNOSUPPORT.into()),
        };
        // Types of service are not looked at, either.
        if request.byte(3) != 0 || REFUSED.iter().any(|kind| attributes.get(*kind).is_some()) {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let prefix = |kind, len: u8| {
            let most = if v6 { 128 } else { 32 };
            let ip = ip(&attributes, kind, family)?;
            if len > most { Err(Errno::EINVAL) } else { Ok(ip.map(|ip| (ip, len))) }
        };
        Ok(Self {
            v6,
            from: prefix(FRA_SRC, request.byte(2))?,
            to: prefix(FRA_DST, request.byte(1))?,
            action: action(request, &attributes)?,
            priority: attributes.number(FRA_PRIORITY)?,
            mark: mark(&attributes)?,
            attributes,
        })
    }

    fn name(&self, kind: u16) -> Result<Option<String>, Errno> {
        Ok(self.attributes.text(kind)?.map(str::to_owned))
    }
}

/// A mark without a mask is meant as it is.
fn mark(attributes: &Attributes<'_>) -> Result<Option<(u32, u32)>, Errno> {
    let (mark, mask) = (attributes.number(FRA_FWMARK)?, attributes.number(FRA_FWMASK)?);
    Ok(match (mark, mask) {
        (None, None) => None,
        (mark, mask) => Some((mark.unwrap_or(0), mask.unwrap_or(u32::MAX))),
    })
}

fn action(request: Request<'_>, attributes: &Attributes<'_>) -> Result<Option<RuleAction>, Errno> {
    let table = attributes.number(FRA_TABLE)?.unwrap_or(u32::from(request.byte(4)));
    match request.byte(7) {
        0 | LOOK_IN_TABLE => Ok((table != 0).then_some(RuleAction::Table(table))),
        number => {
            let kind = REFUSALS.iter().find(|(known, _)| *known == number).ok_or(Errno::EOPNOTSUPP)?;
            Ok(Some(RuleAction::Refuse(kind.1)))
        }
    }
}

fn add(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let asked = Asked::read(request)?;
    let protocol = asked.attributes.get(FRA_PROTOCOL).and_then(|value| value.first().copied());
    let suppressed = asked.attributes.number(FRA_SUPPRESS_PREFIXLEN)?;
    let rule = Rule {
        action: asked.action.ok_or(Errno::EINVAL)?,
        from: asked.from.filter(|(_, len)| *len > 0),
        to: asked.to.filter(|(_, len)| *len > 0),
        iif: asked.name(FRA_IIFNAME)?,
        oif: asked.name(FRA_OIFNAME)?,
        mark: asked.mark.unwrap_or((0, 0)),
        invert: request.number(8) & FIB_RULE_INVERT != 0,
        suppress_prefix_len: suppressed.and_then(|len| u8::try_from(len).ok()),
        protocol: protocol.unwrap_or(0),
        ..Rule::new(asked.v6, asked.priority.unwrap_or(0), 0)
    };
    Ok(stack.add_rule(rule, asked.priority.is_some(), request.is_exclusive())?)
}

/// The first that agrees in all that is said. That for table `local` cannot be removed.
fn delete(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let asked = Asked::read(request)?;
    let (iif, oif) = (asked.name(FRA_IIFNAME)?, asked.name(FRA_OIFNAME)?);
    let agrees = |rule: &Rule| {
        rule.v6 == asked.v6
            && asked.priority.is_none_or(|priority| rule.priority == priority)
            && asked.action.is_none_or(|action| rule.action == action)
            && asked.from.is_none_or(|from| rule.from == Some(from))
            && asked.to.is_none_or(|to| rule.to == Some(to))
            && (iif.is_none() || iif == rule.iif)
            && (oif.is_none() || oif == rule.oif)
            && asked.mark.is_none_or(|mark| rule.mark == mark)
    };
    Ok(stack.remove_rule(agrees)?)
}

/// A `struct fib_rule_hdr` with its attributes (net/core/fib_rules.c, fib_nl_fill_rule).
pub(in super::super) fn body(stack: &Stack, rule: &Rule) -> Vec<u8> {
    /// `RT_TABLE_COMPAT`: the number does not fit into a byte.
    const ELSEWHERE: u8 = 252;
    let len = |prefix: Option<(IpAddr, u8)>| prefix.map_or(0, |(_, len)| len);
    let (table, action) = match rule.action {
        RuleAction::Table(table) => (table, LOOK_IN_TABLE),
        RuleAction::Refuse(kind) => {
            (0, REFUSALS.iter().find(|(_, known)| *known == kind).map_or(0, |(number, _)| *number))
        }
    };
    let detached = |name: &Option<String>, flag: u32| match name {
        Some(name) if stack.link_named(name).is_none() => flag,
        _ => 0,
    };
    let flags = if rule.invert { FIB_RULE_INVERT } else { 0 }
        | detached(&rule.iif, FIB_RULE_IIF_DETACHED)
        | detached(&rule.oif, FIB_RULE_OIF_DETACHED);
    let [family, ..] = if rule.v6 { AF_INET6 } else { AF_INET }.to_le_bytes();
    let short = u8::try_from(table).unwrap_or(ELSEWHERE);
    let mut bytes = vec![family, len(rule.to), len(rule.from), 0, short, 0, 0, action];
    bytes.extend_from_slice(&flags.to_ne_bytes());
    attribute(&mut bytes, FRA_TABLE, &table.to_ne_bytes());
    let suppressed = rule.suppress_prefix_len.map_or(u32::MAX, u32::from);
    attribute(&mut bytes, FRA_SUPPRESS_PREFIXLEN, &suppressed.to_ne_bytes());
    attribute(&mut bytes, FRA_PROTOCOL, &[rule.protocol]);
    if rule.priority != 0 {
        attribute(&mut bytes, FRA_PRIORITY, &rule.priority.to_ne_bytes());
    }
    for (kind, name) in [(FRA_IIFNAME, &rule.iif), (FRA_OIFNAME, &rule.oif)] {
        if let Some(name) = name {
            attribute(&mut bytes, kind, &[name.as_bytes(), &[0]].concat());
        }
    }
    if rule.mark != (0, 0) {
        attribute(&mut bytes, FRA_FWMARK, &rule.mark.0.to_ne_bytes());
        attribute(&mut bytes, FRA_FWMASK, &rule.mark.1.to_ne_bytes());
    }
    for (kind, prefix) in [(FRA_DST, rule.to), (FRA_SRC, rule.from)] {
        if let Some((ip, _)) = prefix {
            attribute(&mut bytes, kind, &octets(ip));
        }
    }
    bytes
}
