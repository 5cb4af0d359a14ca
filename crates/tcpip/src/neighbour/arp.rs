//! ARP (RFC 826, RFC 5227).

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetProtocol};

use super::resolve::Learned;
use crate::{
    Stack, ethernet,
    link::Address,
    types::{LinkId, Mac},
};

impl Stack {
    /// Takes an ARP message. `to_us`: the frame was for this station alone.
    pub(crate) fn arp_input(&mut self, link: LinkId, message: &[u8], to_us: bool) {
        let parsed = ArpPacket::new_checked(message).and_then(|packet| ArpRepr::parse(&packet));
        let Ok(ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: EthernetAddress(sender_mac),
            source_protocol_addr: sender,
            target_protocol_addr: target,
            ..
        }) = parsed
        else {
            return self.note_rx_error(link);
        };
        let mac = Mac(sender_mac);
        if sender.is_multicast() || sender.is_broadcast() || sender.is_loopback() || !mac.is_unicast() {
            return;
        }
        let ours = !target.is_loopback() && self.links.is_local(target.into());
        let asked = operation == ArpOperation::Request && ours;
        if asked && sender != target {
            // From 0.0.0.0 it is a probe whether the address is taken (RFC 5227).
            self.send_arp(link, ArpOperation::Reply, target, (mac, sender), mac);
        }
        if sender.is_unspecified() || self.links.is_local(sender.into()) {
            return;
        }
        let answer = operation == ArpOperation::Reply && to_us;
        let learned = Learned { mac, solicited: answer, overrides: true, creates: asked, router: None };
        self.learn((link, sender.into()), learned);
    }

    /// Asks who has `ip`: everybody, or just the station that was known to have it.
    pub(super) fn solicit_v4(
        &mut self,
        link: LinkId,
        ip: Ipv4Addr,
        known: Option<Mac>,
        source: Option<IpAddr>,
    ) {
        // arp_announce 0: the address that the packet comes from, if it is ours.
        let source = source.filter(|source| self.links.is_local(*source));
        let Some(IpAddr::V4(source)) = source.or_else(|| Some(self.source_for(link, ip.into(), None))) else {
            return;
        };
        let to = known.unwrap_or(Mac::BROADCAST);
        self.send_arp(link, ArpOperation::Request, source, (Mac::default(), ip), to);
    }

    /// Tells everybody that we have `ip` (RFC 5227, section 3).
    pub(crate) fn announce_v4(&mut self, link: LinkId, ip: Ipv4Addr) {
        let there = self.links.get(link).and_then(|l| l.address(ip.into())).is_some_and(Address::is_valid);
        if there {
            self.send_arp(link, ArpOperation::Request, ip, (Mac::default(), ip), Mac::BROADCAST);
        }
    }

    fn send_arp(
        &mut self,
        link: LinkId,
        operation: ArpOperation,
        source: Ipv4Addr,
        (target_mac, target): (Mac, Ipv4Addr),
        to: Mac,
    ) {
        let Some(own) = self.links.get(link).filter(|l| l.is_usable()).and_then(|l| l.mac()) else { return };
        let repr = ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: EthernetAddress(own.0),
            source_protocol_addr: source,
            target_hardware_addr: EthernetAddress(target_mac.0),
            target_protocol_addr: target,
        };
        let mut frame = ethernet::frame(to, own, EthernetProtocol::Arp, repr.buffer_len());
        repr.emit(&mut ArpPacket::new_unchecked(ethernet::payload_mut(&mut frame)));
        self.put_on_link(link, frame);
    }
}
