//! What we tell others about packets of theirs.

use std::{collections::HashMap, net::IpAddr};

use smoltcp::wire::{Icmpv4Message, Icmpv6Message, IpProtocol};

use super::HEADER;
use crate::{Stack, ToldError, addr, packet::IpPacket, types::LinkId};

/// RFC 1812, section 4.3.2.3: as much of the packet as fits 576 bytes.
const MAX_ERROR_V4: usize = 576 - 20 - HEADER;
/// RFC 4443, section 2.4: as much as fits the minimum MTU.
const MAX_ERROR_V6: usize = 1280 - 40 - HEADER;

/// `net.ipv4.icmp_msgs_per_sec`, `icmp_msgs_burst`: for all together.
const ALL: Bucket = Bucket { interval_ns: 1_000_000, burst: 50 };
/// `net.ipv4.icmp_ratelimit`, and `XRLIM_BURST_FACTOR`: for one destination.
const EACH: Bucket = Bucket { interval_ns: 1_000_000_000, burst: 6 };
/// Destinations that are remembered.
const DESTINATIONS_MAX: usize = 1024;

/// Destination unreachable, time exceeded, parameter problem.
const V4_ERRORS: &[u8] = &[3, 11, 12];
/// Destination unreachable, packet too big, time exceeded, parameter problem.
const V6_ERRORS: &[u8] = &[1, 2, 3, 4];

/// What is wrong with a packet (RFC 792, RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// There is no way to its network.
    Network,
    /// There is no way to its host.
    Host,
    /// The host does not know the protocol.
    Protocol,
    /// Nobody has the port.
    Port,
    /// It may not pass.
    Prohibited,
    /// It is longer than this, the next link's MTU.
    TooBig(usize),
    /// Its TTL has run out.
    TimeExceeded,
    /// Some of its fragments have not come in time.
    ReassemblyTimeExceeded,
}

impl Problem {
    /// Type and code of ICMP's message.
    pub(super) fn v4(self) -> (u8, u8) {
        let unreachable = u8::from(Icmpv4Message::DstUnreachable);
        let exceeded = u8::from(Icmpv4Message::TimeExceeded);
        match self {
            Self::Network => (unreachable, 0),
            Self::Host => (unreachable, 1),
            Self::Protocol => (unreachable, 2),
            Self::Port => (unreachable, 3),
            Self::TooBig(_) => (unreachable, 4),
            Self::Prohibited => (unreachable, 13),
            Self::TimeExceeded => (exceeded, 0),
            Self::ReassemblyTimeExceeded => (exceeded, 1),
        }
    }

    /// Type and code of ICMPv6's message.
    pub(super) fn v6(self) -> (u8, u8) {
        let unreachable = u8::from(Icmpv6Message::DstUnreachable);
        let exceeded = u8::from(Icmpv6Message::TimeExceeded);
        match self {
            Self::Network => (unreachable, 0),
            Self::Prohibited => (unreachable, 1),
            Self::Host => (unreachable, 3),
            Self::Port => (unreachable, 4),
            Self::TooBig(_) => (Icmpv6Message::PktTooBig.into(), 0),
            // An unknown next header, at the place of that field.
            Self::Protocol => (Icmpv6Message::ParamProblem.into(), 1),
            Self::TimeExceeded => (exceeded, 0),
            Self::ReassemblyTimeExceeded => (exceeded, 1),
        }
    }

    /// The second word of the message.
    fn word(self, v4: bool) -> [u8; 4] {
        match self {
            Self::TooBig(mtu) if v4 => u32::from(u16::try_from(mtu).unwrap_or(u16::MAX)).to_be_bytes(),
            Self::TooBig(mtu) => u32::try_from(mtu).unwrap_or(u32::MAX).to_be_bytes(),
            // Where the IPv6 header names its next header.
            Self::Protocol if !v4 => 6_u32.to_be_bytes(),
            _ => [0; 4],
        }
    }
}

/// So many tokens at most, and one more each interval.
struct Bucket {
    interval_ns: u64,
    burst: u64,
}

impl Bucket {
    /// Takes a token. `full_ns`: when the bucket will be full again.
    fn take(&self, full_ns: &mut u64, now_ns: u64) -> bool {
        let next_ns = (*full_ns).max(now_ns) + self.interval_ns;
        let there = next_ns <= now_ns + self.burst * self.interval_ns;
        if there {
            *full_ns = next_ns;
        }
        there
    }
}

/// How many errors were sent lately.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    all_ns: u64,
    each_ns: HashMap<IpAddr, u64>,
}

impl RateLimit {
    fn allows(&mut self, to: IpAddr, now_ns: u64) -> bool {
        if self.each_ns.len() >= DESTINATIONS_MAX {
            self.each_ns.retain(|_, full_ns| *full_ns > now_ns);
        }
        if self.each_ns.len() >= DESTINATIONS_MAX && !self.each_ns.contains_key(&to) {
            return false;
        }
        EACH.take(self.each_ns.entry(to).or_default(), now_ns) && ALL.take(&mut self.all_ns, now_ns)
    }
}

impl Stack {
    /// Tells the sender of `ip` what is wrong with it, unless nobody should be told (RFC 1122, section 3.2.2; RFC 4443, section 2.4) or
    /// too many were.
    pub(crate) fn send_problem(&mut self, link: LinkId, ip: &IpPacket<'_>, problem: Problem) {
        let first = ip.fragment.is_none_or(|fragment| fragment.offset == 0);
        let too_big = matches!(problem, Problem::TooBig(_));
        let to_one = addr::is_unicast(ip.dst) && !self.links.is_broadcast(ip.dst);
        let from_one = addr::is_unicast(ip.src) && !self.links.is_broadcast(ip.src);
        if !first || !from_one || !(to_one || (too_big && ip.dst.is_ipv6())) || is_error(ip) {
            return;
        }
        if link != LinkId::LO && !too_big && !self.icmp_limit.allows(ip.src, self.now_ns) {
            return;
        }
        let v4 = ip.src.is_ipv4();
        let ((kind, code), limit) =
            if v4 { (problem.v4(), MAX_ERROR_V4) } else { (problem.v6(), MAX_ERROR_V6) };
        let mut message = vec![kind, code, 0, 0];
        message.extend_from_slice(&problem.word(v4));
        message.extend_from_slice(&ip.bytes[..ip.bytes.len().min(limit)]);
        // A packet for us is answered by who it was for, and so is one whose host was reached.
        let src = (self.links.is_local(ip.dst) || problem == Problem::Port).then_some(ip.dst);
        self.send_icmp(link, src, ip.src, &message);
    }

    /// Sends an error that somebody else has told about a packet, as it was told. It was counted against the rate of who told.
    pub(crate) fn send_told(&mut self, link: LinkId, packet: &[u8], to: IpAddr, told: &ToldError) {
        let (errors, too_big, limit) = match to {
            IpAddr::V4(_) => (V4_ERRORS, (3, 4), MAX_ERROR_V4),
            IpAddr::V6(_) => (V6_ERRORS, (2, 0), MAX_ERROR_V6),
        };
        if !errors.contains(&told.kind) || told.from.is_ipv4() != to.is_ipv4() || !addr::is_unicast(told.from)
        {
            return;
        }
        let word = if (told.kind, told.code) == too_big { told.info } else { 0 };
        let mut message = vec![told.kind, told.code, 0, 0];
        message.extend_from_slice(&word.to_be_bytes());
        message.extend_from_slice(&packet[..packet.len().min(limit)]);
        self.send_icmp(link, Some(told.from), to, &message);
    }

    /// A packet that waited for a neighbour, who has not answered: its sender is told, be it here or elsewhere.
    pub(crate) fn undeliverable(&mut self, link: LinkId, packet: &[u8]) {
        let Some(ip) = IpPacket::parse(packet, false) else { return };
        if self.links.is_local(ip.src) {
            self.local_problem(packet, ip.src, Problem::Host);
        } else {
            self.send_problem(link, &ip, Problem::Host);
        }
    }
}

/// Whether it is an ICMP error, or what may be one: errors about errors would go on for ever.
fn is_error(ip: &IpPacket<'_>) -> bool {
    match (ip.protocol, ip.payload.first()) {
        (IpProtocol::Icmp, Some(kind)) => {
            let query = [
                Icmpv4Message::EchoReply,
                Icmpv4Message::EchoRequest,
                Icmpv4Message::Timestamp,
                Icmpv4Message::TimestampReply,
            ];
            !query.map(u8::from).contains(kind)
        }
        (IpProtocol::Icmpv6, Some(kind)) => *kind < 128,
        (IpProtocol::Icmp | IpProtocol::Icmpv6, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_few() {
        let mut limit = RateLimit::default();
        let to = IpAddr::from([10, 0, 0, 1]);
        let mut sent = |now_ns| (0..100).filter(|_| limit.allows(to, now_ns)).count();
        assert_eq!(sent(0), 6);
        assert_eq!(sent(1_000_000_000), 1);
        assert_eq!(sent(60_000_000_000), 6);
        let others = (0..2000_u32).filter(|n| limit.allows(IpAddr::from(n.to_be_bytes()), 60_000_000_000));
        assert!(others.count() <= 50);
        assert!(limit.each_ns.len() <= DESTINATIONS_MAX);
    }
}
