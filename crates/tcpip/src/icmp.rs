//! ICMP and ICMPv6: echo, and errors both ways (RFC 792, RFC 4443, RFC 1122 section 3.2.2).

use std::net::IpAddr;

use abi::Errno;
use smoltcp::wire::{
    Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpProtocol, IpRepr, Ipv4Packet,
    Ipv6Packet,
};

use crate::{
    Stack,
    addr::{self, Endpoint, Flow},
    frame::Frame,
    packet::IpPacket,
    slab::Key,
    tcp::{connection::Owner, engine::State, time_wait::FlowEntry},
    types::LinkId,
    udp_header::{UDPLITE, Variant},
};

const HEADER: usize = 8;
/// RFC 1812, section 4.3.2.3: as much of the packet as fits 576 bytes.
const MAX_ERROR_V4: usize = 576 - 20 - HEADER;
/// RFC 4443, section 2.4: as much as fits the minimum MTU.
const MAX_ERROR_V6: usize = 1280 - 40 - HEADER;

/// Why a packet could not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreachable {
    Network,
    Host,
    Protocol,
    Port,
}

/// An error that came about a packet of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IcmpError {
    pub(crate) errno: Errno,
    /// Sockets that did not ask for all errors hear of it.
    pub(crate) hard: bool,
    /// The message's.
    pub(crate) kind: u8,
    /// The message's.
    pub(crate) code: u8,
    /// Who sent it.
    pub(crate) from: IpAddr,
}

impl Unreachable {
    /// Linux's `icmp_err_convert`.
    fn errno(self) -> Errno {
        match self {
            Self::Network => Errno::ENETUNREACH,
            Self::Host => Errno::EHOSTUNREACH,
            Self::Protocol => Errno::ENOPROTOOPT,
            Self::Port => Errno::ECONNREFUSED,
        }
    }

    fn from_v4(code: u8) -> Option<Self> {
        match code {
            0 | 6 | 11 => Some(Self::Network),
            1 | 7 | 12 => Some(Self::Host),
            2 => Some(Self::Protocol),
            3 => Some(Self::Port),
            _ => None,
        }
    }

    fn from_v6(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Network),
            3 => Some(Self::Host),
            4 => Some(Self::Port),
            _ => None,
        }
    }

    fn code_v4(self) -> u8 {
        match self {
            Self::Network => 0,
            Self::Host => 1,
            Self::Protocol => 2,
            Self::Port => 3,
        }
    }

    fn code_v6(self) -> u8 {
        match self {
            Self::Network | Self::Protocol => 0,
            Self::Host => 3,
            Self::Port => 4,
        }
    }
}

impl Stack {
    /// Takes an ICMP message.
    pub(crate) fn icmp_input(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        self.counters.icmp_in_msgs += 1;
        let verify = link != LinkId::LO;
        match (ip.src, ip.dst) {
            (IpAddr::V4(_), _) => self.icmpv4_input(link, ip, verify),
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let Ok(icmp) = Icmpv6Packet::new_checked(ip.payload) else { return };
                if verify && !icmp.verify_checksum(&src, &dst) {
                    return;
                }
                match (icmp.msg_type(), icmp.msg_code()) {
                    (Icmpv6Message::EchoRequest, 0) => self.echo(link, ip),
                    (Icmpv6Message::EchoReply, 0) => self.udp_input(link, ip, Variant::Ping),
                    (Icmpv6Message::DstUnreachable, code) => {
                        self.error_input(ip, Unreachable::from_v6(code).map(Unreachable::errno), true);
                    }
                    (Icmpv6Message::TimeExceeded, _) => {
                        self.error_input(ip, Some(Errno::EHOSTUNREACH), false);
                    }
                    (
                        Icmpv6Message::NeighborSolicit
                        | Icmpv6Message::NeighborAdvert
                        | Icmpv6Message::RouterSolicit
                        | Icmpv6Message::RouterAdvert
                        | Icmpv6Message::Redirect,
                        _,
                    ) => self.nd_input(link, ip, &icmp),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn icmpv4_input(&mut self, link: LinkId, ip: &IpPacket<'_>, verify: bool) {
        let Ok(icmp) = Icmpv4Packet::new_checked(ip.payload) else { return };
        if verify && !icmp.verify_checksum() {
            return;
        }
        match (icmp.msg_type(), icmp.msg_code()) {
            (Icmpv4Message::EchoRequest, 0) => self.echo(link, ip),
            (Icmpv4Message::EchoReply, 0) => self.udp_input(link, ip, Variant::Ping),
            (Icmpv4Message::DstUnreachable, code) => {
                self.error_input(ip, Unreachable::from_v4(code).map(Unreachable::errno), true);
            }
            (Icmpv4Message::TimeExceeded, _) => self.error_input(ip, Some(Errno::EHOSTUNREACH), false),
            _ => {}
        }
    }

    /// The answer to an echo request: the same bytes with another type.
    fn echo(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let kind = match ip.src {
            IpAddr::V4(_) => u8::from(Icmpv4Message::EchoReply),
            IpAddr::V6(_) => u8::from(Icmpv6Message::EchoReply),
        };
        let mut message = ip.payload.to_vec();
        if let Some(first) = message.first_mut() {
            *first = kind;
        }
        self.send_icmp(link, ip.dst, ip.src, &message);
    }

    /// Tells the sender of `ip` that it could not be delivered.
    pub(crate) fn send_unreachable(&mut self, link: LinkId, ip: &IpPacket<'_>, why: Unreachable) {
        if !addr::is_unicast(ip.dst) || !addr::is_unicast(ip.src) {
            return;
        }
        let (kind, code, limit) = match ip.src {
            IpAddr::V4(_) => (u8::from(Icmpv4Message::DstUnreachable), why.code_v4(), MAX_ERROR_V4),
            IpAddr::V6(_) => (u8::from(Icmpv6Message::DstUnreachable), why.code_v6(), MAX_ERROR_V6),
        };
        let mut message = vec![0; HEADER];
        message[..2].copy_from_slice(&[kind, code]);
        message.extend_from_slice(&ip.bytes[..ip.bytes.len().min(limit)]);
        self.send_icmp(link, ip.dst, ip.src, &message);
    }

    /// A packet that waited for a neighbour, who has not answered: its sender is told, be it here or elsewhere.
    pub(crate) fn undeliverable(&mut self, link: LinkId, packet: &[u8]) {
        let Some(ip) = IpPacket::parse(packet, false) else { return };
        if !self.links.is_local(ip.src) {
            return self.send_unreachable(link, &ip, Unreachable::Host);
        }
        let (kind, code) = match ip.src {
            IpAddr::V4(_) => (u8::from(Icmpv4Message::DstUnreachable), Unreachable::Host.code_v4()),
            IpAddr::V6(_) => (u8::from(Icmpv6Message::DstUnreachable), Unreachable::Host.code_v6()),
        };
        let errno = Unreachable::Host.errno();
        self.quoted_error(packet, &IcmpError { errno, hard: true, kind, code, from: ip.src });
    }

    fn send_icmp(&mut self, link: LinkId, src: IpAddr, dst: IpAddr, message: &[u8]) {
        let protocol = if src.is_ipv4() { IpProtocol::Icmp } else { IpProtocol::Icmpv6 };
        let caps = self.links.carrier(link).checksums();
        let ip = IpRepr::new(IpAddress::from(src), IpAddress::from(dst), protocol, message.len(), 64);
        let mut frame: Frame = self.frames.take(ip.buffer_len());
        ip.emit(frame.bytes_mut(), &caps);
        let payload = &mut frame.bytes_mut()[ip.header_len()..];
        payload.copy_from_slice(message);
        match (src, dst) {
            (IpAddr::V4(_), _) => Icmpv4Packet::new_unchecked(payload).fill_checksum(),
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                Icmpv6Packet::new_unchecked(payload).fill_checksum(&src, &dst);
            }
            _ => return,
        }
        self.counters.icmp_out_msgs += 1;
        self.transmit(link, frame);
    }

    /// An error about a packet of ours, whose beginning it quotes.
    fn error_input(&mut self, ip: &IpPacket<'_>, errno: Option<Errno>, hard: bool) {
        let (&[kind, code, ..], Some(errno)) = (ip.payload, errno) else { return };
        let why = IcmpError { errno, hard, kind, code, from: ip.src };
        if let Some(quote) = ip.payload.get(HEADER..) {
            self.quoted_error(quote, &why);
        }
    }

    /// An error about the packet of ours that begins so.
    fn quoted_error(&mut self, quote: &[u8], why: &IcmpError) {
        let Some((protocol, flow, rest)) = quoted_flow(quote) else { return };
        match protocol {
            IpProtocol::Udp => self.udp_error(Variant::Udp, flow, why, rest),
            UDPLITE => self.udp_error(Variant::Lite, flow, why, rest),
            IpProtocol::Icmp | IpProtocol::Icmpv6 => self.udp_error(Variant::Ping, flow, why, rest),
            IpProtocol::Tcp if why.hard => {
                if let Some(&FlowEntry::Connection(key)) = self.flows.get(&flow) {
                    self.tcp_error(key, why.errno);
                }
            }
            _ => {}
        }
    }

    /// RFC 5461: an error ends a connection only while it is being opened.
    fn tcp_error(&mut self, key: Key, error: Errno) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.soft_error = Some(error);
        let opening = connection.engine.state() == State::SynSent && !connection.over;
        if opening && matches!(connection.owner, Owner::Socket(_)) {
            self.counters.tcp_attempt_fails += 1;
            self.end(key, Some(error));
        }
    }
}

/// The flow that a quoted packet of ours belongs to, and what is quoted of it behind 8 bytes of its protocol's header.
fn quoted_flow(quote: &[u8]) -> Option<(IpProtocol, Flow, &[u8])> {
    let (src, dst, protocol, header_len) = match quote.first()? >> 4 {
        4 if quote.len() >= 20 => {
            let ip = Ipv4Packet::new_unchecked(quote);
            let (src, dst) = (IpAddr::V4(ip.src_addr()), IpAddr::V4(ip.dst_addr()));
            (src, dst, ip.next_header(), usize::from(ip.header_len()))
        }
        6 if quote.len() >= 40 => {
            let ip = Ipv6Packet::new_unchecked(quote);
            (IpAddr::V6(ip.src_addr()), IpAddr::V6(ip.dst_addr()), ip.next_header(), 40)
        }
        _ => return None,
    };
    if matches!(protocol, IpProtocol::Icmp | IpProtocol::Icmpv6) {
        // Of an echo request, the identifier is the port.
        let message = quote.get(header_len..)?;
        let &[_, _, _, _, high, low, ..] = message else { return None };
        let local = Endpoint { ip: src, port: u16::from_be_bytes([high, low]) };
        return Some((protocol, Flow { local, remote: Endpoint { ip: dst, port: 0 } }, message));
    }
    let ports = quote.get(header_len..)?.first_chunk::<4>()?;
    let local = Endpoint { ip: src, port: u16::from_be_bytes([ports[0], ports[1]]) };
    let remote = Endpoint { ip: dst, port: u16::from_be_bytes([ports[2], ports[3]]) };
    let rest = quote.get(header_len + HEADER..).unwrap_or_default();
    Some((protocol, Flow { local, remote }, rest))
}
