//! IP packets and TCP segments as the demultiplexer sees them.

use std::net::IpAddr;

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        IpAddress, IpProtocol, IpRepr, Ipv4Packet, Ipv6Packet, TcpControl, TcpOption, TcpPacket, TcpRepr,
        TcpSeqNumber, TcpTimestampRepr,
    },
};

use crate::{
    addr::{Endpoint, Flow},
    extension,
    frame::{Frame, Frames},
    offload::Offload,
};

pub(crate) const IPV6_HEADER: usize = 40;

/// An IP packet that holds what its header says, or a fragment of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IpPacket<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// What `payload` is; in front of it there may be extension headers.
    pub(crate) protocol: IpProtocol,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) fragment: Option<Fragment>,
    /// It was put together from fragments.
    pub(crate) reassembled: bool,
    /// What is left to be done for it.
    pub(crate) offload: Offload,
    pub(crate) payload: &'a [u8],
    /// The whole packet without what the link padded it with.
    pub(crate) bytes: &'a [u8],
}

/// Which part of a packet a fragment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) id: u32,
    /// Where its payload belongs, in bytes.
    pub(crate) offset: usize,
    pub(crate) more: bool,
}

impl<'a> IpPacket<'a> {
    /// Reads the header. `verify`: look at its checksum.
    pub(crate) fn parse(bytes: &'a [u8], verify: bool) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::parse_v4(bytes, verify),
            6 => Self::parse_v6(bytes),
            _ => None,
        }
    }

    fn parse_v4(bytes: &'a [u8], verify: bool) -> Option<Self> {
        let packet = Ipv4Packet::new_checked(bytes).ok()?;
        if packet.header_len() < 20 || (verify && !packet.verify_checksum()) {
            return None;
        }
        // smoltcp answers the offset in bytes.
        let (offset, more) = (usize::from(packet.frag_offset()), packet.more_frags());
        let fragment = Fragment { id: packet.ident().into(), offset, more };
        Some(Self {
            src: packet.src_addr().into(),
            dst: packet.dst_addr().into(),
            protocol: packet.next_header(),
            ttl: packet.hop_limit(),
            tos: packet.dscp() << 2 | packet.ecn(),
            fragment: (more || offset > 0).then_some(fragment),
            reassembled: false,
            offload: Offload::NONE,
            payload: packet.payload(),
            bytes: bytes.get(..usize::from(packet.total_len()))?,
        })
    }

    fn parse_v6(bytes: &'a [u8]) -> Option<Self> {
        let packet = Ipv6Packet::new_checked(bytes).ok()?;
        let bytes = bytes.get(..packet.total_len())?;
        let chain = extension::walk(packet.next_header(), bytes.get(IPV6_HEADER..)?)?;
        Some(Self {
            src: packet.src_addr().into(),
            dst: packet.dst_addr().into(),
            protocol: chain.protocol,
            ttl: packet.hop_limit(),
            tos: packet.traffic_class(),
            fragment: chain.fragment,
            reassembled: false,
            offload: Offload::NONE,
            payload: chain.payload,
            bytes,
        })
    }

    /// Whether an IPv4 header has options.
    pub(crate) fn has_options(&self) -> bool {
        self.bytes.first().is_some_and(|byte| byte >> 4 == 4 && byte & 0xf > 5)
    }

    /// Whether there is something between the IPv6 header and the payload.
    pub(crate) fn has_extensions(&self) -> bool {
        self.src.is_ipv6() && self.bytes.len() - self.payload.len() > IPV6_HEADER
    }

    /// Whether routers may cut it (RFC 791).
    pub(crate) fn may_be_fragmented(&self) -> bool {
        self.src.is_ipv4() && !Ipv4Packet::new_unchecked(self.bytes).dont_frag()
    }
}

/// The bits of the TOS byte that are for congestion; all of them: CE.
pub(crate) const CODEPOINT: u8 = 0b11;

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    pub(crate) flow: Flow,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) ece: bool,
    pub(crate) cwr: bool,
    /// The packet's (RFC 3168, section 5).
    pub(crate) codepoint: u8,
    pub(crate) ack: Option<u32>,
    pub(crate) seq: u32,
    pub(crate) window: u16,
    /// The sequence number of the urgent byte (RFC 9293, `SEG.UP`, which points behind it as BSD's and Linux's do).
    pub(crate) urgent: Option<u32>,
    pub(crate) data_len: usize,
    /// The IP packet it came in.
    pub(crate) bytes: &'a [u8],
    tcp: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads the header of a segment that came in. `verify`: look at its checksum.
    pub(crate) fn parse(ip: &IpPacket<'a>, verify: bool) -> Option<Self> {
        let tcp = TcpPacket::new_checked(ip.payload).ok()?;
        let (src, dst) = (IpAddress::from(ip.src), IpAddress::from(ip.dst));
        if verify && !tcp.verify_checksum(&src, &dst) {
            return None;
        }
        Some(Self {
            flow: Flow {
                local: Endpoint { ip: ip.dst, port: tcp.dst_port() },
                remote: Endpoint { ip: ip.src, port: tcp.src_port() },
            },
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            ece: tcp.ece(),
            cwr: tcp.cwr(),
            codepoint: ip.tos & CODEPOINT,
            ack: tcp.ack().then(|| seq_bits(tcp.ack_number())),
            seq: seq_bits(tcp.seq_number()),
            window: tcp.window_len(),
            urgent: tcp.urg().then(|| {
                seq_bits(tcp.seq_number()).wrapping_add(u32::from(tcp.urgent_at().saturating_sub(1)))
            }),
            data_len: tcp.payload().len(),
            bytes: ip.bytes,
            tcp: ip.payload,
        })
    }

    /// Its length in sequence space (RFC 9293, `SEG.LEN`).
    pub(crate) fn len(&self) -> u32 {
        let data = u32::try_from(self.data_len).unwrap_or(u32::MAX);
        data.wrapping_add(u32::from(self.syn)).wrapping_add(u32::from(self.fin))
    }

    /// Whether a router has marked its packet instead of dropping it.
    pub(crate) fn is_marked(&self) -> bool {
        self.codepoint == CODEPOINT
    }

    /// The length of the segment in bytes, its header included.
    pub(crate) fn tcp_len(&self) -> usize {
        self.tcp.len()
    }

    /// The options behind its header.
    pub(crate) fn options(&self) -> &[u8] {
        TcpPacket::new_unchecked(self.tcp).options()
    }

    /// The packet of a SYN that announces less than we believe, put right; else none. Its checksum is not right.
    pub(crate) fn with_least_mss(&self) -> Option<Vec<u8>> {
        let low = |bytes: &[u8]| {
            let mut options = bytes;
            while let Ok((rest, option)) = TcpOption::parse(options) {
                match option {
                    TcpOption::MaxSegmentSize(mss) => return mss < LEAST_MSS,
                    TcpOption::EndOfList => break,
                    _ => options = rest,
                }
            }
            false
        };
        (self.syn && low(self.options())).then(|| {
            let mut packet = self.bytes.to_vec();
            let header_len = self.bytes.len() - self.tcp.len();
            set_max_segment_size(&mut packet[header_len..], LEAST_MSS);
            packet
        })
    }

    /// Its packet, as if it had come from this port.
    pub(crate) fn with_port(&self, port: u16) -> Vec<u8> {
        let mut packet = self.bytes.to_vec();
        let header_len = self.bytes.len() - self.tcp.len();
        TcpPacket::new_unchecked(&mut packet[header_len..]).set_src_port(port);
        packet
    }

    /// The same in another packet.
    pub(crate) fn in_packet<'b>(&'b self, bytes: &'b [u8]) -> Segment<'b> {
        Segment { bytes, ..*self }
    }

    /// What a SYN says beyond its header.
    pub(crate) fn syn_options(&self) -> SynOptions {
        let mut found = SynOptions::default();
        let mut options = TcpPacket::new_unchecked(self.tcp).options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::MaxSegmentSize(mss) if mss > 0 => found.mss = mss.max(LEAST_MSS),
                TcpOption::WindowScale(scale) => found.scale = Some(scale.min(MAX_SCALE)),
                TcpOption::SackPermitted => found.sack = true,
                TcpOption::EndOfList => break,
                _ => {}
            }
            options = rest;
        }
        found
    }
}

/// Linux's `net.ipv4.tcp_min_snd_mss`: less than the options of a segment take would leave no room for data.
const LEAST_MSS: u16 = 48;
/// RFC 7323, section 2.3.
const MAX_SCALE: u8 = 14;

/// The options of a SYN.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SynOptions {
    /// The largest segment that its sender takes.
    pub(crate) mss: u16,
    /// Its window scale, if it can scale windows.
    pub(crate) scale: Option<u8>,
    /// It understands selective acknowledgements.
    pub(crate) sack: bool,
}

impl Default for SynOptions {
    /// RFC 9293, section 3.7.1.
    fn default() -> Self {
        Self { mss: 536, scale: None, sack: false }
    }
}

/// Sets the window scale option of a SYN that has one. Its checksum is not right afterwards.
pub(crate) fn set_window_scale(tcp: &mut [u8], scale: u8) {
    const WINDOW_SCALE: u8 = 3;
    if let Some([value]) = option_mut(tcp, WINDOW_SCALE) {
        *value = scale;
    }
}

/// Sets the largest segment that a SYN announces. Its checksum is not right afterwards.
pub(crate) fn set_max_segment_size(tcp: &mut [u8], mss: u16) {
    const MAX_SEGMENT_SIZE: u8 = 2;
    if let Some(value) = option_mut(tcp, MAX_SEGMENT_SIZE).filter(|value| value.len() == 2) {
        value.copy_from_slice(&mss.to_be_bytes());
    }
}

/// What a timestamps option takes in a header, padded as all senders pad it (RFC 7323, appendix A).
pub(crate) const STAMP_LEN: usize = 12;

/// Sets the timestamps option of a segment that has one. Its checksum is not right afterwards.
pub(crate) fn set_stamp(tcp: &mut [u8], (value, echo): (u32, u32)) {
    const TIMESTAMPS: u8 = 8;
    if let Some([v0, v1, v2, v3, e0, e1, e2, e3]) = option_mut(tcp, TIMESTAMPS) {
        [*v0, *v1, *v2, *v3] = value.to_be_bytes();
        [*e0, *e1, *e2, *e3] = echo.to_be_bytes();
    }
}

/// The value of a header's option.
fn option_mut(tcp: &mut [u8], kind: u8) -> Option<&mut [u8]> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    let header_len = usize::from(TcpPacket::new_unchecked(&*tcp).header_len());
    let mut at = 20;
    while at < header_len {
        match tcp.get(at..header_len) {
            Some(&[found, len, ..]) if found == kind && len >= 2 => {
                return tcp.get_mut(at + 2..header_len.min(at + usize::from(len)));
            }
            Some(&[NOP, ..]) => at += 1,
            Some(&[END, ..]) | Some(&[_, 0 | 1, ..]) => return None,
            Some(&[_, len, ..]) => at += usize::from(len),
            _ => return None,
        }
    }
    None
}

/// `a` lies behind `b` in sequence space.
pub(crate) fn seq_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

fn seq_bits(seq: TcpSeqNumber) -> u32 {
    seq.0.cast_unsigned()
}

/// A segment without data that the stack makes itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BareSegment {
    pub(crate) flow: Flow,
    pub(crate) rst: bool,
    pub(crate) seq: u32,
    pub(crate) ack: Option<u32>,
    pub(crate) window: u16,
    /// Its timestamps option (RFC 7323).
    pub(crate) stamp: Option<(u32, u32)>,
    /// It tells of a mark of congestion (RFC 3168).
    pub(crate) ece: bool,
}

impl BareSegment {
    /// Writes it into a frame.
    pub(crate) fn emit(&self, frames: &mut Frames, caps: &ChecksumCapabilities) -> Frame {
        let repr = TcpRepr {
            src_port: self.flow.local.port,
            dst_port: self.flow.remote.port,
            control: if self.rst { TcpControl::Rst } else { TcpControl::None },
            seq_number: TcpSeqNumber(self.seq.cast_signed()),
            ack_number: self.ack.map(|ack| TcpSeqNumber(ack.cast_signed())),
            window_len: self.window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: self.stamp.map(|(value, echo)| TcpTimestampRepr::new(value, echo)),
            payload: &[],
        };
        let (src, dst) = (IpAddress::from(self.flow.local.ip), IpAddress::from(self.flow.remote.ip));
        let ip = IpRepr::new(src, dst, IpProtocol::Tcp, repr.buffer_len(), 64);
        let mut frame = frames.take(ip.buffer_len());
        ip.emit(frame.bytes_mut(), caps);
        let mut tcp = TcpPacket::new_unchecked(&mut frame.bytes_mut()[ip.header_len()..]);
        repr.emit(&mut tcp, &src, &dst, caps);
        if self.ece {
            tcp.set_ece(true);
            tcp.fill_checksum(&src, &dst);
        }
        frame
    }
}

/// The checksum (RFC 1071) of a payload with the pseudo-header of its IP packet.
pub(crate) fn checksum(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> u16 {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let pseudo = [octets(src), octets(dst), length.to_vec(), vec![0, 0, 0, protocol]].concat();
    fold(sum(&pseudo) + sum(payload))
}

/// The checksum of bytes alone; of those that have theirs, 0.
pub(crate) fn plain_checksum(bytes: &[u8]) -> u16 {
    fold(sum(bytes))
}

fn sum(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    };
    bytes.chunks(2).map(word).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Lets routers cut an IPv4 packet.
pub(crate) fn clear_dont_frag(packet: &mut [u8], caps: &ChecksumCapabilities) {
    let mut ip = Ipv4Packet::new_unchecked(packet);
    ip.set_dont_frag(false);
    if caps.ipv4.tx() {
        ip.fill_checksum();
    }
}

/// Marks a packet whose sender understands marks of congestion (RFC 3168, section 5); `false`: it does not.
pub(crate) fn mark(packet: &mut [u8]) -> bool {
    let tos = IpPacket::parse(packet, false).map_or(0, |ip| ip.tos);
    let markable = tos & CODEPOINT != 0;
    if markable {
        set_tos(packet, tos | CODEPOINT, &ChecksumCapabilities::default());
    }
    markable
}

/// Sets the port that a TCP segment goes to. `sum`: its checksum is filled in.
pub(crate) fn set_destination_port(packet: &mut [u8], port: u16, sum: bool) {
    let Some(ip) = IpPacket::parse(packet, false) else { return };
    let (src, dst, at) = (ip.src, ip.dst, ip.bytes.len() - ip.payload.len());
    if let Ok(mut tcp) = TcpPacket::new_checked(&mut packet[at..]) {
        tcp.set_dst_port(port);
        if sum {
            tcp.fill_checksum(&src.into(), &dst.into());
        }
    }
}

/// Sets the TOS byte or traffic class of a packet that smoltcp made without one.
pub(crate) fn set_tos(packet: &mut [u8], tos: u8, caps: &ChecksumCapabilities) {
    match packet.first().map(|b| b >> 4) {
        Some(4) => {
            let mut ip = Ipv4Packet::new_unchecked(packet);
            ip.set_dscp(tos >> 2);
            ip.set_ecn(tos & 3);
            if caps.ipv4.tx() {
                ip.fill_checksum();
            }
        }
        Some(6) => Ipv6Packet::new_unchecked(packet).set_traffic_class(tos),
        _ => {}
    }
}
