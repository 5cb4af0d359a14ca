//! Neighbour discovery (RFC 4861) and duplicate address detection (RFC 4862, optimistic as RFC 4429 has it).

use std::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::{
    EthernetAddress, EthernetProtocol, Icmpv6Message, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet,
    Ipv6Repr, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress,
};

use super::resolve::Learned;
use crate::{
    Stack, ethernet,
    event::{Change, Event},
    link::Address,
    packet::IpPacket,
    types::{LinkId, Mac},
};

/// Only neighbours can send packets that arrive with it (RFC 4861, section 6.1).
const HOP_LIMIT: u8 = 255;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl Stack {
    /// Takes a message of neighbour discovery whose checksum is right.
    pub(crate) fn nd_input(&mut self, link: LinkId, ip: &IpPacket<'_>, icmp: &Icmpv6Packet<&[u8]>) {
        if ip.ttl != HOP_LIMIT || icmp.msg_code() != 0 || self.links.get(link).and_then(|l| l.mac()).is_none()
        {
            return;
        }
        let (IpAddr::V6(src), IpAddr::V6(dst)) = (ip.src, ip.dst) else { return };
        let lengths_fit = options_are_whole(icmp.msg_type(), ip.payload);
        if !lengths_fit {
            return;
        }
        if icmp.msg_type() == Icmpv6Message::RouterAdvert {
            return self.router_advertised(link, ip);
        }
        match NdiscRepr::parse(icmp) {
            Ok(NdiscRepr::NeighborSolicit { target_addr, lladdr }) => {
                self.solicited(link, (src, dst), target_addr, lladdr.and_then(mac_of));
            }
            Ok(NdiscRepr::NeighborAdvert { flags, target_addr, lladdr }) => {
                self.advertised(link, dst, target_addr, flags, lladdr.and_then(mac_of));
            }
            _ => {}
        }
    }

    /// A router has said which station it is.
    pub(crate) fn learn_router(&mut self, place: (LinkId, IpAddr), mac: [u8; 6]) {
        let learned =
            Learned { mac: Mac(mac), solicited: false, overrides: true, creates: true, router: Some(true) };
        self.learn(place, learned);
    }

    /// RFC 4861, section 7.2.3 and 7.2.4.
    fn solicited(
        &mut self,
        link: LinkId,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        target: Ipv6Addr,
        mac: Option<Mac>,
    ) {
        let own = self.links.get(link).and_then(|l| l.address(target.into())).filter(|a| a.is_valid());
        let Some(address) = own else { return };
        let probe = src.is_unspecified();
        if probe && (!dst.is_multicast() || mac.is_some()) {
            return;
        }
        if probe && address.has(Address::TENTATIVE) {
            // Somebody else is about to take it, too.
            return self.duplicate(link, target);
        }
        if let Some(mac) = mac {
            let learned = Learned { mac, solicited: false, overrides: true, creates: true, router: None };
            self.learn((link, src.into()), learned);
        }
        let to = if probe { ALL_NODES } else { src };
        let mut flags = NdiscNeighborFlags::OVERRIDE;
        if !probe {
            flags |= NdiscNeighborFlags::SOLICITED;
        }
        if let Some(own) = self.links.get(link).and_then(|l| l.mac()) {
            let lladdr = Some(raw(own));
            let repr = NdiscRepr::NeighborAdvert { flags, target_addr: target, lladdr };
            // A neighbour that is known gets it directly; asking it first would go round in circles.
            self.send_nd(link, (target, to), &repr, mac.filter(|_| !probe));
        }
    }

    /// RFC 4861, section 7.2.5.
    fn advertised(
        &mut self,
        link: LinkId,
        dst: Ipv6Addr,
        target: Ipv6Addr,
        flags: NdiscNeighborFlags,
        mac: Option<Mac>,
    ) {
        let solicited = flags.contains(NdiscNeighborFlags::SOLICITED);
        if target.is_multicast() || (solicited && dst.is_multicast()) {
            return;
        }
        if let Some(own) = self.links.get(link).and_then(|l| l.address(target.into())) {
            if own.has(Address::TENTATIVE) {
                self.duplicate(link, target);
            }
            return;
        }
        let Some(mac) = mac else { return };
        let overrides = flags.contains(NdiscNeighborFlags::OVERRIDE);
        let router = Some(flags.contains(NdiscNeighborFlags::ROUTER));
        self.learn((link, target.into()), Learned { mac, solicited, overrides, creates: false, router });
    }

    /// Another host has the address: it is not used (RFC 4862, section 5.4.5).
    fn duplicate(&mut self, id: LinkId, ip: Ipv6Addr) {
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(address) = link.addrs.iter_mut().find(|a| a.ip == ip) else { return };
        address.flags &= !Address::OPTIMISTIC;
        address.flags |= Address::DADFAILED;
        // `ip address` shows both flags; it is not looked at again.
        address.flags &= !Address::TENTATIVE;
        let now = address.clone();
        self.routes.note_change();
        self.note_event(Event::Address(Change::New, id, now));
    }

    /// Asks whether somebody has the address already.
    pub(crate) fn begin_duplicate_detection(&mut self, link: LinkId, ip: Ipv6Addr) {
        let now_ns = self.now_ns;
        if let Some(address) = self.links.get_mut(link).and_then(|l| l.addrs.iter_mut().find(|a| a.ip == ip))
        {
            address.updated_ns = now_ns;
            let address = address.clone();
            self.watch_lifetime(link, &address);
        }
        let repr = NdiscRepr::NeighborSolicit { target_addr: ip, lladdr: None };
        self.send_nd(link, (Ipv6Addr::UNSPECIFIED, solicited_node(ip)), &repr, None);
    }

    /// Asks who has `ip`: all who may, or just the station that was known to have it.
    pub(super) fn solicit_v6(
        &mut self,
        link: LinkId,
        ip: Ipv6Addr,
        known: Option<Mac>,
        source: Option<IpAddr>,
    ) {
        let source = source.filter(|source| self.links.is_local(*source));
        let Some(IpAddr::V6(source)) = source.or_else(|| Some(self.source_for(link, ip.into(), None))) else {
            return;
        };
        let Some(own) = self.links.get(link).and_then(|l| l.mac()) else { return };
        let repr = NdiscRepr::NeighborSolicit { target_addr: ip, lladdr: Some(raw(own)) };
        let to = if known.is_some() { ip } else { solicited_node(ip) };
        self.send_nd(link, (source, to), &repr, known);
    }

    /// Tells everybody that we have `ip` (RFC 4861, section 7.2.6).
    pub(crate) fn announce_v6(&mut self, link: LinkId, ip: Ipv6Addr) {
        let there = self.links.get(link).and_then(|l| l.address(ip.into())).is_some_and(Address::is_valid);
        if let (true, Some(own)) = (there, self.links.get(link).and_then(|l| l.mac())) {
            let flags = NdiscNeighborFlags::OVERRIDE;
            let repr = NdiscRepr::NeighborAdvert { flags, target_addr: ip, lladdr: Some(raw(own)) };
            self.send_nd(link, (ip, ALL_NODES), &repr, None);
        }
    }

    /// Sends a message: to a group, to a station that is known, or as any other packet.
    pub(crate) fn send_nd(
        &mut self,
        link: LinkId,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        repr: &NdiscRepr<'_>,
        to: Option<Mac>,
    ) {
        let Some(own) = self.links.get(link).filter(|l| l.is_usable()).and_then(|l| l.mac()) else { return };
        let repr = Icmpv6Repr::Ndisc(*repr);
        let header = Ipv6Repr {
            src_addr: src,
            dst_addr: dst,
            next_header: IpProtocol::Icmpv6,
            payload_len: repr.buffer_len(),
            hop_limit: HOP_LIMIT,
        };
        let len = header.buffer_len() + repr.buffer_len();
        let destination = to.unwrap_or_else(|| ethernet::group_mac(dst.into()));
        let mut frame = ethernet::frame(destination, own, EthernetProtocol::Ipv6, len);
        let packet = ethernet::payload_mut(&mut frame);
        header.emit(&mut Ipv6Packet::new_unchecked(&mut *packet));
        let message = &mut packet[header.buffer_len()..];
        message.fill(0);
        let caps = smoltcp::phy::ChecksumCapabilities::default();
        repr.emit(&src, &dst, &mut Icmpv6Packet::new_unchecked(message), &caps);
        self.counters.icmp_out_msgs += 1;
        if to.is_none() && !dst.is_multicast() {
            self.send_to_neighbour(link, dst.into(), frame);
        } else {
            self.put_on_link(link, frame);
        }
    }
}

/// Each station with an address that ends so listens to it (RFC 4291, section 2.7.1).
pub(crate) fn solicited_node(ip: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = ip.octets();
    Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// A station's address as smoltcp's messages hold it.
pub(crate) fn raw(mac: Mac) -> RawHardwareAddress {
    RawHardwareAddress::from(EthernetAddress(mac.0))
}

fn mac_of(raw: RawHardwareAddress) -> Option<Mac> {
    raw.as_bytes().first_chunk::<6>().map(|bytes| Mac(*bytes))
}

/// Options of length 0 make the whole message void (RFC 4861, section 4.6), and those that end behind it likewise.
fn options_are_whole(kind: Icmpv6Message, message: &[u8]) -> bool {
    let fixed = match kind {
        Icmpv6Message::RouterSolicit => 8,
        Icmpv6Message::RouterAdvert => 16,
        Icmpv6Message::NeighborSolicit | Icmpv6Message::NeighborAdvert => 24,
        Icmpv6Message::Redirect => 40,
        _ => return false,
    };
    let Some(mut options) = message.get(fixed..) else { return false };
    while let [_, len, ..] = *options {
        match options.get(usize::from(len) * 8..) {
            Some(rest) if len > 0 => options = rest,
            _ => return false,
        }
    }
    options.is_empty()
}
