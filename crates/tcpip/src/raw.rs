//! Raw sockets (raw(7)): packets of one protocol, received with their IPv4 header and sent with or without it.

use std::net::IpAddr;

use abi::Errno;
use smoltcp::wire::{IpAddress, IpProtocol, IpRepr, Ipv4Packet};

use crate::{
    Stack,
    bpf::About,
    ip_options::IpOptions,
    link::Link,
    packet::{self, IpPacket},
    route::Way,
    socket::Kind,
    types::{Domain, LinkId, SocketId},
    udp::Datagram,
    udp_header::Variant,
};

/// `IPPROTO_RAW`: sends any protocol, receives none.
const IPPROTO_RAW: u8 = 255;
/// `IPPROTO_ICMPV6`.
const ICMPV6: u8 = 58;

/// What only raw sockets can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RawOptions {
    /// `IP_HDRINCL`: the program writes the IP header.
    pub header_included: bool,
    /// `ICMP_FILTER`: a bit for each type that is not wanted.
    pub icmp_filter: u32,
    /// `ICMPV6_FILTER`: likewise.
    pub icmpv6_filter: [u32; 8],
    /// `IPV6_CHECKSUM`: where in the payload the checksum is.
    pub checksum_at: Option<u16>,
}

impl RawOptions {
    pub(crate) fn new(domain: Domain, protocol: u8) -> Self {
        Self {
            header_included: protocol == IPPROTO_RAW,
            checksum_at: (domain == Domain::Inet6 && protocol == ICMPV6).then_some(2),
            ..Self::default()
        }
    }

    fn lets_through(&self, ip: &IpPacket<'_>) -> bool {
        let kind = ip.payload.first().copied().unwrap_or(0);
        match ip.protocol {
            IpProtocol::Icmp => kind >= 32 || self.icmp_filter & 1 << kind == 0,
            IpProtocol::Icmpv6 => {
                let word = self.icmpv6_filter.get(usize::from(kind / 32)).copied().unwrap_or(0);
                word & 1 << (kind % 32) == 0
            }
            _ => true,
        }
    }
}

impl Stack {
    /// socket(2), `SOCK_RAW`. Who may have one is not decided here.
    pub fn raw_socket(&mut self, domain: Domain, protocol: u8) -> SocketId {
        self.add_raw_socket(domain, protocol)
    }

    /// The options of a raw socket.
    ///
    /// # Errors
    /// `EBADF`: no such socket. `ENOPROTOOPT`: not a raw one.
    pub fn raw_options(&self, id: SocketId) -> Result<RawOptions, Errno> {
        match &self.sockets.find(id)?.kind {
            Kind::Udp(udp) => udp.raw.as_deref().copied().ok_or(Errno::ENOPROTOOPT),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// Sets them.
    ///
    /// # Errors
    /// As [`Stack::raw_options`].
    pub fn set_raw_options(&mut self, id: SocketId, options: RawOptions) -> Result<(), Errno> {
        match &mut self.sockets.find_mut(id)?.kind {
            Kind::Udp(udp) if udp.raw.is_some() => {
                udp.raw = Some(Box::new(options));
                Ok(())
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// Shows a packet to those who asked for its protocol; whether there was one.
    pub(crate) fn raw_input(&mut self, link: LinkId, ip: &IpPacket<'_>) -> bool {
        let ids = self.raw_ports.bound_to(u8::from(ip.protocol).into());
        let mut taken = false;
        for id in ids {
            taken |= self.raw_wants(link, id, ip);
            if self.raw_wants(link, id, ip) {
                let v4 = ip.src.is_ipv4();
                let data = if v4 { ip.bytes } else { ip.payload };
                let about = About {
                    protocol: if v4 { 0x0800 } else { 0x86dd },
                    ifindex: link.index(),
                    ..About::default()
                };
                let from = crate::addr::Endpoint { ip: ip.src, port: 0 };
                let datagram = Datagram {
                    from,
                    to: ip.dst,
                    link,
                    ttl: ip.ttl,
                    tos: ip.tos,
                    options: IpOptions::of_packet(ip),
                    at_ns: self.now_ns,
                    segment_size: None,
                    data: data.into(),
                };
                self.deliver_filtered(id, datagram, data, &about);
            }
        }
        taken
    }

    fn raw_wants(&self, link: LinkId, id: SocketId, ip: &IpPacket<'_>) -> bool {
        let Some(socket) = self.sockets.get(id.0) else { return false };
        let Kind::Udp(udp) = &socket.kind else { return false };
        let family = (socket.domain == Domain::Inet) == ip.src.is_ipv4();
        let bound = socket.binding.and_then(|b| b.source()).is_none_or(|own| own == ip.dst);
        let peer = udp.flow.is_none_or(|flow| flow.remote.ip == ip.src);
        let here = socket.options.bound_link.is_none_or(|wanted| wanted == link);
        family && bound && peer && here && udp.raw.as_ref().is_some_and(|raw| raw.lets_through(ip))
    }

    /// An ICMP error about a packet of this protocol (net/ipv4/raw.c, raw_err).
    pub(crate) fn raw_error(
        &mut self,
        protocol: IpProtocol,
        why: &crate::icmp::IcmpError,
        peer: IpAddr,
        quoted: &[u8],
    ) {
        for id in self.raw_ports.bound_to(u8::from(protocol).into()) {
            let Some(socket) = self.sockets.get(id.0) else { continue };
            let Kind::Udp(udp) = &socket.kind else { continue };
            let family = (socket.domain == Domain::Inet) == peer.is_ipv4();
            if family && udp.flow.is_none_or(|flow| flow.remote.ip == peer) {
                self.datagram_error(id, crate::addr::Endpoint { ip: peer, port: 0 }, why, quoted);
            }
        }
    }

    /// Sends the program's bytes to `dst`.
    pub(crate) fn raw_emit(
        &mut self,
        id: SocketId,
        way: &Way,
        (src, dst): (IpAddr, IpAddr),
        data: &[u8],
        (ttl, tos): (u8, u8),
        options: &IpOptions,
    ) -> Result<(), Errno> {
        let socket = self.sockets.find(id)?;
        let mark = socket.options.mark;
        let Kind::Udp(udp) = &socket.kind else { return Err(Errno::EOPNOTSUPP) };
        let (Variant::Raw(protocol), Some(raw)) = (udp.variant, udp.raw.as_deref().copied()) else {
            return Err(Errno::EOPNOTSUPP);
        };
        if raw.header_included {
            return self.send_with_header(way, src, data);
        }
        let discovery = socket.options.discovery(dst.is_ipv4());
        let caps = self.links.carrier(way.link).checksums();
        let (from, to) = (IpAddress::from(src), IpAddress::from(dst));
        let header = IpRepr::new(from, to, IpProtocol::from(protocol), data.len(), ttl);
        let mut frame = self.frames.take(header.buffer_len());
        header.emit(frame.bytes_mut(), &caps);
        let payload = &mut frame.bytes_mut()[header.header_len()..];
        payload.copy_from_slice(data);
        if let (Some(at), IpAddr::V6(_)) = (raw.checksum_at, dst) {
            let at = usize::from(at);
            let field = payload.get_mut(at..at + 2).ok_or(Errno::EINVAL)?;
            field.fill(0);
            let sum = packet::checksum(src, dst, protocol, payload);
            payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        if dst.is_ipv4() && !discovery.sets_dont_fragment() {
            packet::clear_dont_frag(frame.bytes_mut(), &caps);
        }
        if tos != 0 {
            packet::set_tos(frame.bytes_mut(), tos, &caps);
        }
        let frame = self.with_options(frame, options);
        self.mark = mark;
        self.transmit(way.link, frame);
        self.mark = 0;
        Ok(())
    }

    /// The program wrote the header. The length, the checksum, and what it left at 0 are filled in (raw(7)).
    fn send_with_header(&mut self, way: &Way, src: IpAddr, data: &[u8]) -> Result<(), Errno> {
        if data.len() > self.links.get(way.link).map_or(0, |link: &Link| link.mtu) {
            return Err(Errno::EMSGSIZE);
        }
        let mut frame = self.frames.take(data.len());
        frame.bytes_mut().copy_from_slice(data);
        if let IpAddr::V4(src) = src {
            let id = self.next_fragment_id();
            let total = u16::try_from(data.len()).map_err(|_| Errno::EMSGSIZE)?;
            let mut ip = Ipv4Packet::new_unchecked(frame.bytes_mut());
            let header_len = usize::from(data.first().ok_or(Errno::EINVAL)? & 0xf) * 4;
            if data.len() < 20 || header_len < 20 || header_len > data.len() {
                return Err(Errno::EINVAL);
            }
            ip.set_total_len(total);
            if ip.src_addr().is_unspecified() {
                ip.set_src_addr(src);
            }
            if ip.ident() == 0 {
                ip.set_ident((id & 0xffff) as u16);
            }
            ip.fill_checksum();
        } else if data.len() < packet::IPV6_HEADER {
            return Err(Errno::EINVAL);
        }
        self.transmit(way.link, frame);
        Ok(())
    }
}
