//! Ethernet II frames.

use std::net::IpAddr;

use smoltcp::wire::{EthernetAddress, EthernetFrame, EthernetProtocol};

use crate::{
    Offload, Outgoing, Stack,
    types::{LinkId, Mac},
};

/// Bytes of a header.
pub(crate) const HEADER: usize = 14;

impl Stack {
    /// Takes a frame.
    pub(crate) fn ethernet_input(&mut self, link: LinkId, own: Mac, bytes: &[u8], offload: Offload) {
        let Ok(frame) = EthernetFrame::new_checked(bytes) else { return self.note_rx_error(link) };
        let (src, dst) = (Mac(frame.src_addr().0), Mac(frame.dst_addr().0));
        let group = dst.0[0] & 1 == 1;
        // A bus shows us our own frames, too.
        if src == own || (dst != own && !group) {
            return;
        }
        match frame.ethertype() {
            EthernetProtocol::Arp => self.arp_input(link, frame.payload(), dst == own),
            EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6 => {
                let version = frame.payload().first().map(|byte| byte >> 4);
                let expected = if frame.ethertype() == EthernetProtocol::Ipv4 { 4 } else { 6 };
                if version == Some(expected) {
                    self.ip_input(link, frame.payload(), offload);
                } else {
                    self.note_rx_error(link);
                }
            }
            _ => self.note_rx_dropped(link),
        }
    }

    /// Sends an IP packet over an Ethernet link.
    pub(crate) fn ethernet_output(&mut self, link: LinkId, own: Mac, packet: &[u8], offload: Offload) {
        let Some(dst) = destination_of(packet) else { return };
        let kind = if dst.is_ipv4() { EthernetProtocol::Ipv4 } else { EthernetProtocol::Ipv6 };
        let mut bytes = Vec::with_capacity(HEADER + packet.len());
        bytes.extend_from_slice(&frame(Mac::default(), own, kind, 0));
        bytes.extend_from_slice(packet);
        if dst.is_multicast() || self.links.is_broadcast(dst) {
            set_destination(&mut bytes, group_mac(dst));
            self.put_on_link(link, Outgoing { bytes, offload });
        } else {
            let hop = self.next_hop(link, dst, source_of(&bytes));
            self.send_to_neighbour(link, hop, Outgoing { bytes, offload });
        }
    }
}

/// A frame with room for `len` bytes behind its header.
pub(crate) fn frame(to: Mac, from: Mac, kind: EthernetProtocol, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEADER + len];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    frame.set_dst_addr(EthernetAddress(to.0));
    frame.set_src_addr(EthernetAddress(from.0));
    frame.set_ethertype(kind);
    bytes
}

pub(crate) fn payload_mut(frame: &mut [u8]) -> &mut [u8] {
    &mut frame[HEADER..]
}

pub(crate) fn set_destination(frame: &mut [u8], to: Mac) {
    frame[..6].copy_from_slice(&to.0);
}

/// The IP packet in a frame of ours.
pub(crate) fn packet_of(frame: &[u8]) -> &[u8] {
    frame.get(HEADER..).unwrap_or_default()
}

/// Where the IP packet in a frame of ours comes from.
pub(crate) fn source_of(frame: &[u8]) -> Option<IpAddr> {
    let packet = packet_of(frame);
    match packet.first()? >> 4 {
        4 => packet.get(12..)?.first_chunk::<4>().map(|ip| IpAddr::from(*ip)),
        _ => packet.get(8..)?.first_chunk::<16>().map(|ip| IpAddr::from(*ip)),
    }
}

/// Where an IP packet goes.
pub(crate) fn destination_of(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => packet.get(16..)?.first_chunk::<4>().map(|ip| IpAddr::from(*ip)),
        _ => packet.get(24..)?.first_chunk::<16>().map(|ip| IpAddr::from(*ip)),
    }
}

/// The station address that stands for a group (RFC 1112, section 6.4; RFC 2464, section 7), or for everybody.
pub(crate) fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(v4) if v4.is_multicast() => {
            let [_, b, c, d] = v4.octets();
            Mac([1, 0, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V4(_) => Mac::BROADCAST,
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            Mac([0x33, 0x33, a, b, c, d])
        }
    }
}
