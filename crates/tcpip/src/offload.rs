//! What is left to be done for a frame when it goes on: checksums and segments, as virtio's `struct virtio_net_hdr` and Linux's
//! `TUN_F_TSO4`, `TUN_F_USO4` have it.
//!
//! Between two rump kernels of one host no line cuts frames to 1,500 bytes or changes bits of them. There a TCP segment (or what a program has sent with `UDP_SEGMENT`) is as long as an IP
//! packet can be, and nobody sums it up; whoever needs frames as they would be on a wire (a line with faults, a link that takes nothing
//! else, somebody who listens) gets them by [`Offload::finish`].

use std::{num::NonZeroU16, ops::Range};

use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, TcpSeqNumber, UdpPacket};

use crate::packet::{IPV6_HEADER, IpPacket};

const UDP_HEADER: usize = 8;

/// What is left to be done for a frame. Nothing, by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Offload {
    /// The checksum of its TCP segment or UDP datagram is not filled in (`VIRTIO_NET_HDR_F_NEEDS_CSUM`), and nobody has to look at it.
    pub unsummed: bool,
    /// Its TCP segment or UDP datagram is to be cut into ones with so many bytes of data (`gso_size`).
    pub segment_size: Option<NonZeroU16>,
}

/// What the other side of a link does for the frames that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offloads {
    /// Nothing: they are as on a wire.
    #[default]
    None,
    /// It fills in checksums and cuts TCP segments (`TUN_F_CSUM`, `TUN_F_TSO4`, `TUN_F_TSO6`).
    Tcp,
    /// And UDP datagrams (`TUN_F_USO4`, `TUN_F_USO6`).
    TcpAndUdp,
}

impl Offloads {
    /// Whether it does this for a frame of its link, with `link_header` bytes in front of its packet.
    pub(crate) fn do_all(self, offload: Offload, link_header: usize, frame: &[u8]) -> bool {
        match self {
            Self::None => offload == Offload::NONE,
            Self::Tcp => offload.segment_size.is_none() || !is_udp(frame.get(link_header..)),
            Self::TcpAndUdp => true,
        }
    }
}

fn is_udp(packet: Option<&[u8]>) -> bool {
    packet.and_then(|packet| IpPacket::parse(packet, false)).is_some_and(|ip| ip.protocol == IpProtocol::Udp)
}

impl Offload {
    /// Nothing is left to be done.
    pub const NONE: Self = Self { unsummed: false, segment_size: None };

    /// The frames of a wire: the IP packet behind `link_header` bytes cut, and its checksums filled in.
    #[must_use]
    pub fn finish(self, link_header: usize, mut frame: Vec<u8>) -> Vec<Vec<u8>> {
        if let Some(pieces) = self.segment_size.and_then(|size| cut(&frame, link_header, size)) {
            return pieces;
        }
        self.sum(link_header, &mut frame);
        vec![frame]
    }

    /// Fills the checksum in if it is not.
    pub fn sum(self, link_header: usize, frame: &mut [u8]) {
        if self.unsummed
            && let Some(packet) = frame.get_mut(link_header..)
        {
            sum(packet);
        }
    }

    /// Whether it may be said of this packet, which somebody else has made.
    pub(crate) fn fits(self, ip: &IpPacket<'_>) -> bool {
        let tcp = ip.protocol == IpProtocol::Tcp && TcpPacket::new_checked(ip.payload).is_ok();
        let udp = ip.protocol == IpProtocol::Udp && UdpPacket::new_checked(ip.payload).is_ok();
        let whole = ip.fragment.is_none() && !ip.has_extensions();
        self == Self::NONE || (whole && (tcp || udp))
    }

    /// How many TCP segments it is on a wire, with so many bytes of data.
    pub(crate) fn segments(self, data_len: usize) -> u32 {
        self.segment_size.map_or(1, |size| {
            u32::try_from(data_len.div_ceil(usize::from(size.get()))).unwrap_or(u32::MAX).max(1)
        })
    }

    /// The length of the longest packet of a wire.
    pub(crate) fn longest(self, ip: &IpPacket<'_>) -> usize {
        let cut = self.segment_size.zip(headers_len(ip));
        cut.map_or(usize::MAX, |(size, headers)| headers + usize::from(size.get())).min(ip.bytes.len())
    }
}

/// A frame that goes out.
#[derive(Debug)]
pub struct Outgoing {
    /// As the link's medium has it.
    pub bytes: Vec<u8>,
    /// What is left to be done for it. Nothing unless the link's other side does it ([`crate::Stack::set_offloads`]).
    pub offload: Offload,
}

impl From<Vec<u8>> for Outgoing {
    /// A frame that is complete.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, offload: Offload::NONE }
    }
}

/// Where the data of a packet with a TCP segment or a UDP datagram begins.
fn headers_len(ip: &IpPacket<'_>) -> Option<usize> {
    let header = match ip.protocol {
        IpProtocol::Tcp => usize::from(TcpPacket::new_checked(ip.payload).ok()?.header_len()),
        IpProtocol::Udp => UdpPacket::new_checked(ip.payload).ok().map(|_| UDP_HEADER)?,
        _ => return None,
    };
    Some(ip.bytes.len() - ip.payload.len() + header)
}

/// Cuts the TCP segment or UDP datagram behind `link_header` bytes.
fn cut(frame: &[u8], link_header: usize, size: NonZeroU16) -> Option<Vec<Vec<u8>>> {
    let packet = frame.get(link_header..)?;
    let ip = IpPacket::parse(packet, false)?;
    let (headers_len, size) = (headers_len(&ip)?, usize::from(size.get()));
    let data_len = ip.bytes.len() - headers_len;
    let piece = |at: usize| {
        let range = at..(at + size).min(data_len);
        let mut bytes = vec![0; link_header + headers_len + range.len()];
        let (link, room) = bytes.split_at_mut(link_header);
        link.copy_from_slice(&frame[..link_header]);
        match ip.protocol {
            IpProtocol::Udp => put_datagram(ip.bytes, headers_len, range, room),
            _ => put_piece(ip.bytes, headers_len, range, room),
        }
        // Fragments of one datagram have one identification; these are datagrams of their own (RFC 6864).
        if ip.src.is_ipv4() {
            let mut header = Ipv4Packet::new_unchecked(&mut *room);
            header.set_ident(header.ident().wrapping_add(u16::try_from(at / size).unwrap_or(0)));
            header.fill_checksum();
        }
        bytes
    };
    Some((0..data_len.max(1)).step_by(size).map(piece).collect())
}

/// Writes the segment with this part of another one's data, complete. `packet`: the other one with its IP header; `headers_len` bytes of it
/// are headers. `into` has the right length.
pub(crate) fn put_piece(packet: &[u8], headers_len: usize, range: Range<usize>, into: &mut [u8]) {
    let data_len = packet.len() - headers_len;
    let ip_len = put_part(packet, headers_len, range.clone(), into);
    let mut tcp = TcpPacket::new_unchecked(&mut into[ip_len..]);
    let seq = tcp.seq_number().0.wrapping_add(i32::try_from(range.start).unwrap_or(0));
    tcp.set_seq_number(TcpSeqNumber(seq));
    if range.start > 0 {
        // The window was made smaller once (RFC 3168, section 6.1.2).
        tcp.set_cwr(false);
    }
    if range.end < data_len {
        tcp.set_fin(false);
        tcp.set_psh(false);
    }
    sum(into);
}

/// Likewise the datagram with this part of another one's data.
fn put_datagram(packet: &[u8], headers_len: usize, range: Range<usize>, into: &mut [u8]) {
    let ip_len = put_part(packet, headers_len, range, into);
    let len = into.len() - ip_len;
    UdpPacket::new_unchecked(&mut into[ip_len..]).set_len(u16::try_from(len).unwrap_or(u16::MAX));
    sum(into);
}

/// Writes headers and this part of the data. Answers where the IP header ends, which has the length of what is written.
fn put_part(packet: &[u8], headers_len: usize, range: Range<usize>, into: &mut [u8]) -> usize {
    into[..headers_len].copy_from_slice(&packet[..headers_len]);
    into[headers_len..].copy_from_slice(&packet[headers_len + range.start..headers_len + range.end]);
    let len = into.len();
    if packet[0] >> 4 == 4 {
        let mut ip = Ipv4Packet::new_unchecked(&mut *into);
        ip.set_total_len(u16::try_from(len).unwrap_or(u16::MAX));
        ip.fill_checksum();
        usize::from(ip.header_len())
    } else {
        let payload_len = u16::try_from(len - IPV6_HEADER).unwrap_or(u16::MAX);
        Ipv6Packet::new_unchecked(&mut *into).set_payload_len(payload_len);
        IPV6_HEADER
    }
}

/// Fills in the checksum of a packet's TCP segment or UDP datagram.
pub(crate) fn sum(packet: &mut [u8]) {
    let Some(ip) = IpPacket::parse(packet, false) else { return };
    let (src, dst, protocol) = (IpAddress::from(ip.src), IpAddress::from(ip.dst), ip.protocol);
    let payload = ip.bytes.len() - ip.payload.len()..ip.bytes.len();
    let Some(payload) = packet.get_mut(payload) else { return };
    match protocol {
        IpProtocol::Tcp if TcpPacket::new_checked(&*payload).is_ok() => {
            TcpPacket::new_unchecked(payload).fill_checksum(&src, &dst);
        }
        IpProtocol::Udp if UdpPacket::new_checked(&*payload).is_ok() => {
            UdpPacket::new_unchecked(payload).fill_checksum(&src, &dst);
        }
        _ => {}
    }
}
