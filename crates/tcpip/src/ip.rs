//! IP: what comes in finds its protocol, what goes out its link.

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{IpProtocol, Ipv6Packet};

use crate::{
    Offload, Outgoing, Stack,
    addr::is_unicast,
    ethernet::destination_of,
    fragment,
    frame::Frame,
    icmp::Problem,
    neighbour::solicited_node,
    packet::{IPV6_HEADER, IpPacket},
    types::{LinkId, Medium},
    udp_header::{UDPLITE, Variant},
};

/// Packets that may wait for a link; those behind are dropped. Congestion control keeps TCP far below it.
const MAX_OUTGOING: usize = 8192;

impl Stack {
    /// Takes an IP packet.
    pub(crate) fn ip_input(&mut self, link: LinkId, bytes: &[u8], offload: Offload) {
        self.counters.ip_in_receives += 1;
        let loopback = link == LinkId::LO;
        let Some(ip) = IpPacket::parse(bytes, !loopback) else {
            self.counters.ip_in_hdr_errors += 1;
            return;
        };
        let ip = IpPacket { offload, ..ip };
        if !offload.fits(&ip) {
            self.counters.ip_in_hdr_errors += 1;
            return;
        }
        // RFC 1122, section 3.2.1.3: loopback addresses do not appear outside a host.
        let martian = !loopback && (ip.src.is_loopback() || ip.dst.is_loopback());
        if !martian && self.dhcp_asked(link, &ip) {
            return;
        }
        // Who looks for an address of its own has none yet (RFC 4862, section 5.4.2).
        let nobody = ip.src.is_unspecified() && ip.protocol == IpProtocol::Icmpv6;
        if martian || !(is_unicast(ip.src) || nobody) {
            self.counters.ip_in_addr_errors += 1;
            return;
        }
        if !ip.has_options() {
            return self.ip_received(link, &ip);
        }
        // Who sends it on records another address.
        let mut packet = ip.bytes.to_vec();
        let own = if is_unicast(ip.dst) { ip.dst } else { self.source_for(link, ip.src, None) };
        if self.is_for_us(link, ip.dst) && self.record_in(&mut packet, own, own).is_none() {
            return;
        }
        if let Some(ip) = IpPacket::parse(&packet, false) {
            self.ip_received(link, &IpPacket { offload, ..ip });
        }
    }

    /// Takes a packet whose header is in order.
    fn ip_received(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        if !self.is_for_us(link, ip.dst) && !self.is_for_dhcp(link, ip) {
            if !self.intercepts(link, ip.dst) {
                return self.forward(link, ip);
            }
            if ip.ttl <= 1 {
                return self.send_problem(link, ip, Problem::TimeExceeded);
            }
        }
        if let Some(fragment) = ip.fragment {
            if let Some(whole) = self.reassemble(link, ip, fragment)
                && let Some(ip) = IpPacket::parse(&whole, false)
            {
                self.deliver_packet(link, &IpPacket { reassembled: true, ..ip });
            }
            return;
        }
        self.deliver_packet(link, ip);
    }

    /// Hands a packet that is whole to its protocol.
    fn deliver_packet(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        if ip.fragment.is_some() {
            self.counters.ip_in_hdr_errors += 1;
            return;
        }
        if ip.has_extensions() {
            let plain = without_extensions(ip);
            if let Some(plain) = IpPacket::parse(&plain, false) {
                self.deliver_plain(link, &IpPacket { reassembled: ip.reassembled, ..plain });
            }
            return;
        }
        self.deliver_plain(link, ip);
    }

    fn deliver_plain(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let raw = !self.raw_ports.is_empty() && self.raw_input_summed(link, ip);
        match ip.protocol {
            IpProtocol::Tcp => self.tcp_input(link, ip),
            IpProtocol::Udp => self.udp_input(link, ip, Variant::Udp),
            UDPLITE => self.udp_input(link, ip, Variant::Lite),
            IpProtocol::Icmp if ip.src.is_ipv4() => self.icmp_input(link, ip),
            IpProtocol::Icmpv6 if ip.src.is_ipv6() => self.icmp_input(link, ip),
            // RFC 8200, section 4.7: nothing follows.
            IpProtocol::Ipv6NoNxt => {}
            IpProtocol::Igmp if ip.src.is_ipv4() => self.igmp_input(link, ip),
            _ if raw => {}
            _ => self.send_problem(link, ip, Problem::Protocol),
        }
    }

    /// Raw sockets are shown no packet without its checksum.
    fn raw_input_summed(&mut self, link: LinkId, ip: &IpPacket<'_>) -> bool {
        if !ip.offload.unsummed {
            return self.raw_input(link, ip);
        }
        let mut bytes = ip.bytes.to_vec();
        ip.offload.sum(0, &mut bytes);
        IpPacket::parse(&bytes, false).is_some_and(|ip| self.raw_input(link, &ip))
    }

    fn is_for_us(&self, link: LinkId, dst: IpAddr) -> bool {
        self.links.is_local(dst) || self.links.is_broadcast(dst) || self.listens_to(link, dst)
    }

    /// Whether packets to a group are taken from a link. Each host is in all-nodes, and in a group for each of its IPv6 addresses
    /// (RFC 4291, section 2.8).
    pub(crate) fn listens_to(&self, link: LinkId, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(group) if !group.is_multicast() => false,
            _ if self.links.get(link).is_some_and(|l| l.groups.contains_key(&group)) => true,
            IpAddr::V4(group) => group == Ipv4Addr::new(224, 0, 0, 1),
            IpAddr::V6(group) if !group.is_multicast() => false,
            IpAddr::V6(group) => {
                let all_nodes = matches!(group.segments(), [0xff01 | 0xff02, 0, 0, 0, 0, 0, 0, 1]);
                let addrs = || self.links.get(link).into_iter().flat_map(|l| &l.addrs);
                all_nodes || addrs().any(|a| matches!(a.ip, IpAddr::V6(ip) if solicited_node(ip) == group))
            }
        }
    }

    /// Sends a packet that is complete.
    pub(crate) fn transmit(&mut self, link: LinkId, frame: Frame) {
        self.counters.ip_out_requests += 1;
        if link == LinkId::LO {
            if let Some(lo) = self.links.get_mut(LinkId::LO).filter(|lo| lo.up) {
                lo.counters.tx_packets += 1;
                lo.counters.tx_bytes += frame.bytes().len() as u64;
                self.show_frame(LinkId::LO, frame.bytes(), Offload::NONE, true);
                self.lo.push_back(frame);
            }
            return;
        }
        let mtu = destination_of(frame.bytes()).map_or(usize::MAX, |dst| self.output_mtu(link, dst));
        self.output_within(link, frame.bytes(), frame.offload, mtu);
        self.frames.give_back(frame);
    }

    /// Sends a packet on a way that carries packets of `mtu` bytes.
    pub(crate) fn output_within(&mut self, link: LinkId, packet: &[u8], offload: Offload, mtu: usize) {
        let longest = match offload.segment_size {
            Some(_) => IpPacket::parse(packet, false).map_or(packet.len(), |ip| offload.longest(&ip)),
            None => packet.len(),
        };
        if longest <= mtu {
            self.ip_output(link, packet, offload);
        } else if offload == Offload::NONE {
            self.output_in_pieces(link, packet, mtu);
        } else {
            // The path has become narrower.
            for piece in offload.finish(0, packet.to_vec()) {
                self.output_within(link, &piece, Offload::NONE, mtu);
            }
        }
    }

    fn output_in_pieces(&mut self, link: LinkId, packet: &[u8], mtu: usize) {
        let id = self.next_fragment_id();
        match fragment::cut(packet, mtu, id) {
            Some(pieces) => {
                self.counters.ip_frag_oks += 1;
                for piece in pieces {
                    self.counters.ip_frag_creates += 1;
                    self.ip_output(link, &piece, Offload::NONE);
                }
            }
            None => self.counters.ip_frag_fails += 1,
        }
    }

    /// Never the same for packets that may be under way together; the first is not to be guessed (RFC 7739).
    pub(crate) fn next_fragment_id(&mut self) -> u32 {
        self.fragment_id = self.fragment_id.wrapping_add(1);
        self.fragment_id
    }

    pub(crate) fn ip_output(&mut self, link: LinkId, packet: &[u8], offload: Offload) {
        match self.links.get(link).filter(|link| link.is_usable()).map(|link| link.medium) {
            Some(Medium::Ip) => self.put_on_link(link, Outgoing { bytes: packet.to_vec(), offload }),
            Some(Medium::Ethernet { mac }) => self.ethernet_output(link, mac, packet, offload),
            None => {}
        }
    }

    /// Hands a frame to the link.
    pub(crate) fn put_on_link(&mut self, id: LinkId, frame: impl Into<Outgoing>) {
        let frame = frame.into();
        let room = self.outgoing.len() < MAX_OUTGOING;
        let Some(link) = self.links.get_mut(id).filter(|link| link.is_usable()) else { return };
        let header_len = link.header_len();
        if !link.offloads.do_all(frame.offload, header_len, &frame.bytes) {
            for piece in frame.offload.finish(header_len, frame.bytes) {
                self.put_on_link(id, piece);
            }
        } else if room {
            link.counters.tx_packets += 1;
            link.counters.tx_bytes += frame.bytes.len() as u64;
            self.show_frame(id, &frame.bytes, frame.offload, true);
            self.outgoing.push_back((id, frame));
        } else {
            link.counters.tx_dropped += 1;
        }
    }

    pub(crate) fn note_rx_error(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(link) {
            link.counters.rx_errors += 1;
        }
    }

    pub(crate) fn note_rx_dropped(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(link) {
            link.counters.rx_dropped += 1;
        }
    }
}

/// The packet without the extension headers that were looked at.
fn without_extensions(ip: &IpPacket<'_>) -> Vec<u8> {
    let mut packet = [&ip.bytes[..IPV6_HEADER], ip.payload].concat();
    let mut header = Ipv6Packet::new_unchecked(&mut packet[..]);
    header.set_next_header(ip.protocol);
    header.set_payload_len(u16::try_from(ip.payload.len()).unwrap_or(u16::MAX));
    packet
}
