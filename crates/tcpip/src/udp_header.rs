//! The headers of UDP (RFC 768) and UDP-Lite (RFC 3828); and of ICMP's echo messages, whose identifier is the port of a
//! ping socket (icmp(7)).

use std::net::IpAddr;

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpProtocol, UdpPacket, UdpRepr,
    },
};

use crate::{
    addr::{Endpoint, Flow},
    packet::IpPacket,
};

const HEADER: usize = 8;

/// `IPPROTO_UDPLITE`.
pub(crate) const UDPLITE: IpProtocol = IpProtocol::Unknown(136);
/// Where an echo message has its identifier (RFC 792, RFC 4443).
const IDENTIFIER: std::ops::Range<usize> = 4..6;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Variant {
    #[default]
    Udp,
    Lite,
    Ping,
    /// A raw socket's protocol.
    Raw(u8),
}

impl Variant {
    pub(crate) fn protocol(self, to: IpAddr) -> IpProtocol {
        match (self, to) {
            (Self::Raw(protocol), _) => IpProtocol::from(protocol),
            (Self::Udp, _) => IpProtocol::Udp,
            (Self::Lite, _) => UDPLITE,
            (Self::Ping, IpAddr::V4(_)) => IpProtocol::Icmp,
            (Self::Ping, IpAddr::V6(_)) => IpProtocol::Icmpv6,
        }
    }

    /// What stands in front of the program's data. A ping socket's program writes the header itself.
    pub(crate) const fn header_len(self) -> usize {
        match self {
            Self::Udp | Self::Lite => HEADER,
            Self::Ping | Self::Raw(_) => 0,
        }
    }

    /// Whether a program may send this to `to`: of ICMP, echo requests alone (net/ipv4/ping.c, ping_common_sendmsg).
    pub(crate) fn may_send(self, data: &[u8], to: IpAddr) -> bool {
        let echo =
            if to.is_ipv4() { Icmpv4Message::EchoRequest.into() } else { Icmpv6Message::EchoRequest.into() };
        self != Self::Ping || matches!(data, &[kind, 0, _, _, _, _, _, _, ..] if kind == echo)
    }
}

/// A header to be sent.
pub(crate) struct Header {
    pub(crate) variant: Variant,
    pub(crate) flow: Flow,
    /// `UDPLITE_SEND_CSCOV`; 0: all of it.
    pub(crate) coverage: u16,
}

impl Header {
    /// Writes it and the data behind it into `packet`, which has just that room.
    pub(crate) fn emit(&self, packet: &mut [u8], data: &[u8], caps: &ChecksumCapabilities) {
        let (src, dst) = (self.flow.local, self.flow.remote);
        let repr = UdpRepr { src_port: src.port, dst_port: dst.port };
        let (from, to) = (IpAddress::from(src.ip), IpAddress::from(dst.ip));
        let fill = |payload: &mut [u8]| payload.copy_from_slice(data);
        match self.variant {
            Variant::Udp => {
                repr.emit(&mut UdpPacket::new_unchecked(packet), &from, &to, data.len(), fill, caps);
            }
            Variant::Raw(_) => packet.copy_from_slice(data),
            Variant::Ping => {
                packet.copy_from_slice(data);
                packet[IDENTIFIER].copy_from_slice(&src.port.to_be_bytes());
                match (src.ip, dst.ip) {
                    (IpAddr::V6(from), IpAddr::V6(to)) => {
                        Icmpv6Packet::new_unchecked(packet).fill_checksum(&from, &to);
                    }
                    _ => Icmpv4Packet::new_unchecked(packet).fill_checksum(),
                }
            }
            Variant::Lite => {
                let none = ChecksumCapabilities::ignored();
                repr.emit(&mut UdpPacket::new_unchecked(&mut *packet), &from, &to, data.len(), fill, &none);
                // A coverage of all bytes is 0 where their number does not fit (RFC 3828, section 3.1).
                let whole = packet.len();
                let partly = usize::from(self.coverage) < whole && self.coverage > 0;
                let field = if partly { self.coverage } else { u16::try_from(whole).unwrap_or(0) };
                packet[4..6].copy_from_slice(&field.to_be_bytes());
                packet[6..8].fill(0);
                let covered = if partly { usize::from(self.coverage) } else { whole };
                let sum = !checksum(src.ip, dst.ip, whole, &packet[..covered]);
                // 0 would say that there is none, which is not allowed.
                packet[6..8].copy_from_slice(&if sum == 0 { u16::MAX } else { sum }.to_be_bytes());
            }
        }
    }
}

/// What came in.
pub(crate) struct Incoming<'a> {
    pub(crate) flow: Flow,
    pub(crate) data: &'a [u8],
    /// How many bytes the checksum covers, if not all.
    pub(crate) partly_covered: Option<u16>,
}

/// The header of a datagram in front of a part of its data.
pub(crate) fn with_data(datagram: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = [&datagram[..HEADER.min(datagram.len())], data].concat();
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    if let Some(field) = bytes.get_mut(4..6) {
        field.copy_from_slice(&len.to_be_bytes());
    }
    bytes
}

/// Reads a packet. `verify`: look at its checksum.
pub(crate) fn parse<'a>(ip: &IpPacket<'a>, variant: Variant, verify: bool) -> Option<Incoming<'a>> {
    let (src_port, dst_port, data, partly_covered) = match variant {
        Variant::Udp => {
            let packet = UdpPacket::new_checked(ip.payload).ok()?;
            // RFC 768: 0 says that there is none. IPv6 wants one (RFC 8200, section 8.1).
            let omitted = packet.checksum() == 0 && ip.src.is_ipv4();
            if verify && !omitted && !packet.verify_checksum(&ip.src.into(), &ip.dst.into()) {
                return None;
            }
            (packet.src_port(), packet.dst_port(), packet.payload(), None)
        }
        // Its checksum was looked at as every ICMP message's.
        Variant::Ping => {
            let id = ip.payload.get(IDENTIFIER)?.first_chunk::<2>()?;
            (0, u16::from_be_bytes(*id), ip.payload, None)
        }
        Variant::Raw(_) => return None,
        Variant::Lite => {
            let &[s0, s1, d0, d1, c0, c1, x0, x1, ref data @ ..] = ip.payload else { return None };
            let (field, sum) = (u16::from_be_bytes([c0, c1]), u16::from_be_bytes([x0, x1]));
            let covered = if field == 0 { ip.payload.len() } else { usize::from(field) };
            let in_range = (HEADER..=ip.payload.len()).contains(&covered);
            let dst_port = u16::from_be_bytes([d0, d1]);
            if !in_range || dst_port == 0 {
                return None;
            }
            let right = || checksum(ip.src, ip.dst, ip.payload.len(), &ip.payload[..covered]) == u16::MAX;
            if verify && (sum == 0 || !right()) {
                return None;
            }
            let partly = (covered < ip.payload.len()).then_some(field);
            (u16::from_be_bytes([s0, s1]), dst_port, data, partly)
        }
    };
    let flow = Flow {
        local: Endpoint { ip: ip.dst, port: dst_port },
        remote: Endpoint { ip: ip.src, port: src_port },
    };
    Some(Incoming { flow, data, partly_covered })
}

/// The one's complement sum (RFC 1071) over the pseudo-header of UDP-Lite, which counts all bytes, and the covered ones.
fn checksum(src: IpAddr, dst: IpAddr, whole: usize, covered: &[u8]) -> u16 {
    let number = u32::try_from(whole).unwrap_or(u32::MAX);
    let tail = [&number.to_be_bytes()[..], &[0, 0, 0, u8::from(UDPLITE)]].concat();
    let mut sum: u64 =
        [octets(src), octets(dst), tail].iter().map(|part| words(part)).sum::<u64>() + words(covered);
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn words(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    };
    bytes.chunks(2).map(word).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(coverage: u16, data: &[u8]) -> Vec<u8> {
        let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        let flow = Flow { local: end([10, 0, 0, 1], 7), remote: end([10, 0, 0, 2], 9) };
        let mut packet = vec![0; HEADER + data.len()];
        Header { variant: Variant::Lite, flow, coverage }.emit(
            &mut packet,
            data,
            &ChecksumCapabilities::default(),
        );
        packet
    }

    fn parsed(payload: &[u8]) -> Option<(Vec<u8>, Option<u16>)> {
        let ip = IpPacket {
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            protocol: UDPLITE,
            ttl: 64,
            tos: 0,
            fragment: None,
            reassembled: false,
            offload: crate::Offload::NONE,
            payload,
            bytes: payload,
        };
        parse(&ip, Variant::Lite, true).map(|found| (found.data.to_vec(), found.partly_covered))
    }

    #[test]
    fn only_what_is_covered_must_be_whole() {
        let mut whole = emitted(0, b"odd");
        assert_eq!(parsed(&whole), Some((b"odd".to_vec(), None)));
        *whole.last_mut().expect("a byte") ^= 1;
        assert_eq!(parsed(&whole), None);
        let mut partly = emitted(9, b"odd");
        *partly.last_mut().expect("a byte") ^= 1;
        assert_eq!(parsed(&partly), Some((b"odc"[..2].iter().copied().chain([b'd' ^ 1]).collect(), Some(9))));
        partly[8] ^= 1;
        assert_eq!(parsed(&partly), None);
    }

    #[test]
    fn coverages_that_cannot_be() {
        for field in [1_u16, 7, 12] {
            let mut packet = emitted(0, b"odd");
            packet[4..6].copy_from_slice(&field.to_be_bytes());
            assert_eq!(parsed(&packet), None, "{field}");
        }
        assert_eq!(parsed(&[0; 7]), None);
    }
}
