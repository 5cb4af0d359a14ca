//! IP: what comes in finds its protocol, what goes out its link.

use std::net::IpAddr;

use smoltcp::wire::IpProtocol;

use crate::{
    Stack,
    addr::is_unicast,
    frame::Frame,
    icmp::Unreachable,
    packet::IpPacket,
    route::{self, Route},
    types::LinkId,
    udp_header::{UDPLITE, Variant},
};

/// Packets that may wait for a link; those behind are dropped. Congestion control keeps TCP far below it.
const MAX_OUTGOING: usize = 8192;

impl Stack {
    /// Takes an IP packet.
    pub(crate) fn ip_input(&mut self, link: LinkId, bytes: &[u8]) {
        self.counters.ip_in_receives += 1;
        let loopback = link == LinkId::LO;
        let Some(ip) = IpPacket::parse(bytes, !loopback) else {
            self.counters.ip_in_hdr_errors += 1;
            return;
        };
        // RFC 1122, section 3.2.1.3: loopback addresses do not appear outside a host.
        let martian = !loopback && (ip.src.is_loopback() || ip.dst.is_loopback());
        if martian || !is_unicast(ip.src) || !self.is_for_us(ip.dst) {
            self.counters.ip_in_addr_errors += 1;
            return;
        }
        match ip.protocol {
            IpProtocol::Tcp => self.tcp_input(link, &ip),
            IpProtocol::Udp => self.udp_input(link, &ip, Variant::Udp),
            UDPLITE => self.udp_input(link, &ip, Variant::Lite),
            IpProtocol::Icmp if ip.src.is_ipv4() => self.icmp_input(link, &ip),
            IpProtocol::Icmpv6 if ip.src.is_ipv6() => self.icmp_input(link, &ip),
            _ if ip.src.is_ipv4() => self.send_unreachable(link, &ip, Unreachable::Protocol),
            // IPv6 answers a next header that it does not know by another message than an unreachable protocol.
            _ => self.counters.ip_in_hdr_errors += 1,
        }
    }

    fn is_for_us(&self, dst: IpAddr) -> bool {
        self.links.is_local(dst) || self.links.is_broadcast(dst)
    }

    /// The way to `dst`; `None` is counted.
    pub(crate) fn route(&self, dst: IpAddr) -> Option<Route> {
        route::lookup(&self.links, dst)
    }

    /// Sends a packet that is complete.
    pub(crate) fn transmit(&mut self, link: LinkId, frame: Frame) {
        self.counters.ip_out_requests += 1;
        if link == LinkId::LO {
            self.lo.push_back(frame);
            return;
        }
        if self.outgoing.len() < MAX_OUTGOING && self.links.get(link).is_some() {
            self.outgoing.push_back((link, frame.bytes().to_vec()));
        }
        self.frames.give_back(frame);
    }
}
