//! ICMP and ICMPv6 (RFC 792, RFC 4443, RFC 1122 section 3.2.2).
//!
//! * `send` what we tell others about their packets, as often as is allowed;
//! * `received` what others tell about ours.

use std::net::IpAddr;

use smoltcp::wire::{
    Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpProtocol, IpRepr,
};

use crate::{
    Stack,
    frame::Frame,
    ip_options::IpOptions,
    packet::{self, IpPacket},
    route::Hints,
    types::LinkId,
    udp_header::Variant,
};

mod received;
mod send;

pub(crate) use received::IcmpError;
pub use send::Problem;
pub(crate) use send::RateLimit;

pub(crate) const HEADER: usize = 8;

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
                self.icmpv6_input(link, ip, &icmp);
            }
            _ => {}
        }
    }

    fn icmpv4_input(&mut self, link: LinkId, ip: &IpPacket<'_>, verify: bool) {
        let Ok(icmp) = Icmpv4Packet::new_checked(ip.payload) else { return };
        if verify && !icmp.verify_checksum() {
            return;
        }
        // Whatever the code of an echo is (Linux; RFC 792 has none but 0).
        match icmp.msg_type() {
            Icmpv4Message::EchoRequest => self.echo_request(link, ip),
            Icmpv4Message::EchoReply => self.udp_input(link, ip, Variant::Ping),
            Icmpv4Message::DstUnreachable | Icmpv4Message::TimeExceeded | Icmpv4Message::ParamProblem => {
                self.error_input(ip);
            }
            _ => {}
        }
    }

    fn icmpv6_input(&mut self, link: LinkId, ip: &IpPacket<'_>, icmp: &Icmpv6Packet<&[u8]>) {
        match icmp.msg_type() {
            Icmpv6Message::EchoRequest => self.echo_request(link, ip),
            Icmpv6Message::EchoReply => self.udp_input(link, ip, Variant::Ping),
            Icmpv6Message::DstUnreachable
            | Icmpv6Message::PktTooBig
            | Icmpv6Message::TimeExceeded
            | Icmpv6Message::ParamProblem => self.error_input(ip),
            Icmpv6Message::NeighborSolicit
            | Icmpv6Message::NeighborAdvert
            | Icmpv6Message::RouterSolicit
            | Icmpv6Message::RouterAdvert
            | Icmpv6Message::Redirect => self.nd_input(link, ip, icmp),
            _ => {}
        }
    }

    fn echo_request(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let ours = self.links.is_local(ip.dst) || !crate::addr::is_unicast(ip.dst);
        if ours || !self.intercept_datagram(link, ip, Variant::Ping) {
            self.echo(link, ip);
        }
    }

    /// The answer to an echo request: the same bytes with another type. Those to all hosts of a network stay unanswered
    /// (`net.ipv4.icmp_echo_ignore_broadcasts`).
    fn echo(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let kind = match ip.src {
            IpAddr::V4(_) => u8::from(Icmpv4Message::EchoReply),
            IpAddr::V6(_) => u8::from(Icmpv6Message::EchoReply),
        };
        let group = ip.dst.is_multicast() || self.links.is_broadcast(ip.dst);
        if (group && ip.src.is_ipv4()) || ip.src.is_unspecified() {
            return;
        }
        let mut message = ip.payload.to_vec();
        if let Some(first) = message.first_mut() {
            *first = kind;
        }
        let src = if group { None } else { Some(ip.dst) };
        let options = if ip.has_options() { IpOptions::of_packet(ip).echo() } else { IpOptions::default() };
        self.send_icmp_with(link, (src, ip.src), &message, &options);
    }

    /// Sends a message, without a source of our choice the one that the way to `dst` has. `link`: where what it answers came in,
    /// which says where a link-local address is.
    pub(crate) fn send_icmp(&mut self, link: LinkId, src: Option<IpAddr>, dst: IpAddr, message: &[u8]) {
        self.send_icmp_with(link, (src, dst), message, &IpOptions::default());
    }

    fn send_icmp_with(
        &mut self,
        link: LinkId,
        (src, dst): (Option<IpAddr>, IpAddr),
        message: &[u8],
        options: &IpOptions,
    ) {
        let confined = matches!(dst, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let Ok(way) = self.way(dst, Hints::link(confined.then_some(link))) else { return };
        let src = src.unwrap_or(way.source);
        let protocol = if src.is_ipv4() { IpProtocol::Icmp } else { IpProtocol::Icmpv6 };
        let caps = self.links.carrier(way.link).checksums();
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
        if src.is_ipv4() {
            // Linux's own ICMP may be cut on the way (net/ipv4/icmp.c, IP_PMTUDISC_DONT).
            packet::clear_dont_frag(frame.bytes_mut(), &caps);
        }
        self.counters.icmp_out_msgs += 1;
        let frame = self.with_options(frame, options);
        self.transmit(way.link, frame);
    }
}
