//! A DHCPv4 server (RFC 2131) that has one address to lend, to whoever asks: the gateway of a link with one guest.

use std::net::Ipv4Addr;

use abi::Errno;
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetProtocol, IpAddress, IpProtocol, IpRepr,
        UdpPacket, UdpRepr,
    },
};

use super::dhcp::{CLIENT_PORT, SERVER_PORT};
use crate::{
    Stack, ethernet,
    packet::IpPacket,
    types::{LinkId, Mac},
    udp_header::{self, Variant},
};

const LEASE_S: u32 = 86_400;
const OPTION_MTU: u8 = 26;

/// What a link's guest is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhcpOffer {
    /// The server, which is the default router, too.
    pub server: Ipv4Addr,
    /// The guest's address.
    pub guest: Ipv4Addr,
    /// Length of its prefix.
    pub prefix_len: u8,
    /// Whom it asks for names.
    pub name_server: Ipv4Addr,
}

impl Stack {
    /// Lends this address on a link from now on.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EOPNOTSUPP`: not an Ethernet link.
    pub fn offer_by_dhcp(&mut self, link: LinkId, offer: DhcpOffer) -> Result<(), Errno> {
        self.links.get(link).ok_or(Errno::ENODEV)?.mac().ok_or(Errno::EOPNOTSUPP)?;
        self.autoconf.offers.insert(link, offer);
        Ok(())
    }

    /// Takes a packet if it is for a DHCP server here. Who asks may have no address yet.
    pub(crate) fn dhcp_asked(&mut self, link: LinkId, ip: &IpPacket<'_>) -> bool {
        let to_server = ip.protocol == IpProtocol::Udp
            && ip.fragment.is_none()
            && ip.payload.get(2..4) == Some(&SERVER_PORT.to_be_bytes());
        let Some(offer) = self.autoconf.offers.get(&link).copied().filter(|_| to_server) else {
            return false;
        };
        if ip.dst != Ipv4Addr::BROADCAST && ip.dst != offer.server {
            return false;
        }
        if let Some(udp) = udp_header::parse(ip, Variant::Udp, true)
            && let Ok(packet) = DhcpPacket::new_checked(udp.data)
            && let Ok(asked) = DhcpRepr::parse(&packet)
        {
            self.answer_by_dhcp(link, &offer, &asked);
        }
        true
    }

    fn answer_by_dhcp(&mut self, link: LinkId, offer: &DhcpOffer, asked: &DhcpRepr<'_>) {
        let elsewhere = asked.server_identifier.is_some_and(|server| server != offer.server);
        // RFC 2131, section 4.3.2: who renews names its address as its own.
        let wanted = asked.requested_ip.unwrap_or(asked.client_ip);
        let (kind, lends) = match asked.message_type {
            DhcpMessageType::Discover => (DhcpMessageType::Offer, true),
            DhcpMessageType::Request if elsewhere => return,
            DhcpMessageType::Request if wanted == offer.guest => (DhcpMessageType::Ack, true),
            DhcpMessageType::Request => (DhcpMessageType::Nak, false),
            DhcpMessageType::Inform => (DhcpMessageType::Ack, false),
            _ => return,
        };
        let mtu = u16::try_from(self.links.carrier(link).mtu).unwrap_or(u16::MAX).to_be_bytes();
        let told = kind != DhcpMessageType::Nak;
        let mask = u32::MAX.checked_shl(32 - u32::from(offer.prefix_len.min(32))).unwrap_or(0);
        let options = [DhcpOption { kind: OPTION_MTU, data: &mtu }];
        let reply = DhcpRepr {
            message_type: kind,
            secs: 0,
            your_ip: if lends { offer.guest } else { Ipv4Addr::UNSPECIFIED },
            server_ip: offer.server,
            router: told.then_some(offer.server),
            subnet_mask: told.then_some(Ipv4Addr::from_bits(mask)),
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(offer.server),
            parameter_request_list: None,
            dns_servers: told.then(|| [offer.name_server].into_iter().collect()),
            max_size: None,
            lease_duration: lends.then_some(LEASE_S),
            renew_duration: None,
            rebind_duration: None,
            additional_options: if told { &options } else { &[] },
            ..asked.clone()
        };
        let mut message = vec![0; reply.buffer_len()];
        if reply.emit(&mut DhcpPacket::new_unchecked(&mut message[..])).is_ok() {
            let to_all = asked.broadcast || kind == DhcpMessageType::Nak;
            let station = if to_all { Mac::BROADCAST } else { Mac(asked.client_hardware_address.0) };
            let known = if asked.client_ip.is_unspecified() { reply.your_ip } else { asked.client_ip };
            let ip = if to_all || known.is_unspecified() { Ipv4Addr::BROADCAST } else { known };
            self.send_from_server(link, (offer.server, ip), station, &message);
        }
    }

    /// A datagram to somebody who has no address that neighbours could be asked for.
    fn send_from_server(
        &mut self,
        link: LinkId,
        (src, dst): (Ipv4Addr, Ipv4Addr),
        station: Mac,
        message: &[u8],
    ) {
        let Some(mac) = self.links.get(link).and_then(|l| l.mac()) else { return };
        let caps = ChecksumCapabilities::default();
        let udp = UdpRepr { src_port: SERVER_PORT, dst_port: CLIENT_PORT };
        let (from, to) = (IpAddress::Ipv4(src), IpAddress::Ipv4(dst));
        let ip = IpRepr::new(from, to, IpProtocol::Udp, udp.header_len() + message.len(), 64);
        let mut frame = ethernet::frame(station, mac, EthernetProtocol::Ipv4, ip.buffer_len());
        let packet = ethernet::payload_mut(&mut frame);
        ip.emit(&mut *packet, &caps);
        let mut datagram = UdpPacket::new_unchecked(&mut packet[ip.header_len()..]);
        udp.emit(&mut datagram, &from, &to, message.len(), |bytes| bytes.copy_from_slice(message), &caps);
        self.put_on_link(link, frame);
    }
}
