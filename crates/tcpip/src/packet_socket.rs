//! Packet sockets (packet(7)): frames as the links carry them.

use std::collections::VecDeque;

use abi::Errno;
use smoltcp::wire::EthernetProtocol;

use crate::{
    Offload, Stack,
    bpf::About,
    ethernet,
    link::Link,
    option::Options,
    socket::{Kind, Socket},
    types::{Domain, LinkId, Mac, Medium, Protocol, Readiness, SocketId},
};

/// `ETH_P_ALL`.
const ALL: u16 = 3;
/// What Linux charges a frame beyond its bytes.
const OVERHEAD: usize = 256;

/// `ARPHRD_*` of a link.
#[must_use]
pub(crate) fn hatype(medium: Medium, loopback: bool) -> u16 {
    match medium {
        Medium::Ethernet { .. } => 1,
        Medium::Ip if loopback => 772,
        Medium::Ip => 0xfffe,
    }
}

/// Whom a frame was for (`PACKET_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// This host.
    Host,
    /// All.
    Broadcast,
    /// A group.
    Multicast,
    /// Somebody else.
    OtherHost,
    /// It was sent from here.
    Outgoing,
}

impl FrameKind {
    /// The number in `sll_pkttype`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Host => 0,
            Self::Broadcast => 1,
            Self::Multicast => 2,
            Self::OtherHost => 3,
            Self::Outgoing => 4,
        }
    }
}

/// An address of the link layer (`struct sockaddr_ll`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAddr {
    /// `sll_ifindex`; none: any link.
    pub link: Option<LinkId>,
    /// `sll_protocol`: an ethertype, 3 for all, 0 for none.
    pub protocol: u16,
    /// `sll_hatype`.
    pub hatype: u16,
    /// `sll_pkttype`.
    pub kind: FrameKind,
    /// `sll_addr`.
    pub mac: Option<Mac>,
}

/// A frame that a packet socket received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Where it came in or left, and from whom.
    pub from: LinkAddr,
    /// Its bytes as far as the filter let them through.
    pub data: Vec<u8>,
    /// How many it had.
    pub full_len: usize,
    /// When, on the stack's clock.
    pub at_ns: u64,
}

/// `PACKET_STATISTICS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketStatistics {
    /// Frames that passed the filter, those for which there was no room among them.
    pub packets: u32,
    /// Those for which there was no room.
    pub drops: u32,
}

/// The protocol's part of a packet socket.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    /// `SOCK_RAW`: frames have the link's header.
    raw: bool,
    link: Option<LinkId>,
    protocol: u16,
    queue: VecDeque<Captured>,
    charged: usize,
    statistics: PacketStatistics,
    /// Links that it has made promiscuous.
    promiscuous: Vec<LinkId>,
}

impl PacketSocket {
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness { readable: !self.queue.is_empty(), writable: true, ..Readiness::default() }
    }

    pub(crate) fn next_len(&self) -> usize {
        self.queue.front().map_or(0, |frame| frame.data.len())
    }

    fn wants(&self, link: LinkId, protocol: u16) -> bool {
        self.link.is_none_or(|wanted| wanted == link) && (self.protocol == ALL || self.protocol == protocol)
    }
}

/// A frame that passes, for packet sockets.
struct Passing<'a> {
    link: LinkId,
    medium: Medium,
    kind: FrameKind,
    protocol: u16,
    mac: Option<Mac>,
    /// With the header of the link.
    frame: &'a [u8],
    header_len: usize,
}

impl Stack {
    /// socket(2), `AF_PACKET`. `raw`: `SOCK_RAW`, else `SOCK_DGRAM`. `protocol`: an ethertype. Who may have one is not decided here.
    pub fn packet_socket(&mut self, raw: bool, protocol: u16) -> SocketId {
        let kind = Kind::Packet(Box::new(PacketSocket {
            raw,
            link: None,
            protocol,
            queue: VecDeque::new(),
            charged: 0,
            statistics: PacketStatistics::default(),
            promiscuous: Vec::new(),
        }));
        let options = Options::new(Protocol::Udp, Domain::Inet, &self.settings);
        let id = SocketId(self.sockets.insert(Socket::new(Domain::Inet, options, kind)));
        self.packet_sockets.push(id);
        self.note(id);
        id
    }

    fn packet_of(&mut self, id: SocketId) -> Result<&mut PacketSocket, Errno> {
        match &mut self.sockets.find_mut(id)?.kind {
            Kind::Packet(packet) => Ok(packet),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// bind(2): frames of one link and, unless it is 0, one protocol from now on.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EOPNOTSUPP`: not a packet socket.
    pub fn packet_bind(&mut self, id: SocketId, link: Option<LinkId>, protocol: u16) -> Result<(), Errno> {
        if link.is_some_and(|link| self.links.get(link).is_none()) {
            return Err(Errno::ENODEV);
        }
        let packet = self.packet_of(id)?;
        packet.link = link;
        if protocol != 0 {
            packet.protocol = protocol;
        }
        Ok(())
    }

    /// getsockname(2).
    ///
    /// # Errors
    /// `EOPNOTSUPP`: not a packet socket.
    pub fn packet_local(&self, id: SocketId) -> Result<LinkAddr, Errno> {
        let Kind::Packet(packet) = &self.sockets.find(id)?.kind else { return Err(Errno::EOPNOTSUPP) };
        let link = packet.link.and_then(|link| self.links.get(link));
        Ok(LinkAddr {
            link: packet.link,
            protocol: packet.protocol,
            hatype: link.map_or(0, |l| hatype(l.medium, l.is_loopback())),
            kind: FrameKind::Host,
            mac: link.and_then(|l| l.mac().or(l.is_loopback().then_some(Mac::default()))),
        })
    }

    /// recvmsg(2).
    ///
    /// # Errors
    /// `EAGAIN`: nothing there. A pending error is answered and cleared.
    pub fn packet_recv(&mut self, id: SocketId, peek: bool) -> Result<Captured, Errno> {
        self.sockets.find_mut(id)?.check_error()?;
        let packet = self.packet_of(id)?;
        let frame = packet.queue.front().ok_or(Errno::EAGAIN)?.clone();
        if !peek {
            packet.queue.pop_front();
            packet.charged = packet.charged.saturating_sub(frame.data.len() + OVERHEAD);
            self.note(id);
        }
        Ok(frame)
    }

    /// sendmsg(2). `to`: for `SOCK_DGRAM` the station and the ethertype; for `SOCK_RAW` only its link counts.
    ///
    /// # Errors
    /// `ENXIO`: which link? `ENETDOWN`: it is down. `EMSGSIZE`: longer than it carries. `EINVAL`: shorter than a header.
    pub fn packet_send(&mut self, id: SocketId, data: &[u8], to: Option<LinkAddr>) -> Result<usize, Errno> {
        let packet = self.packet_of(id)?;
        let (raw, bound, own_protocol) = (packet.raw, packet.link, packet.protocol);
        let link = to.map_or(bound, |to| to.link).ok_or(Errno::ENXIO)?;
        let found = self.links.get(link).ok_or(Errno::ENXIO)?;
        if !found.up {
            return Err(Errno::ENETDOWN);
        }
        let (medium, loopback, mtu) = (found.medium, found.is_loopback(), found.mtu);
        let header_len = if loopback || found.mac().is_some() { ethernet::HEADER } else { 0 };
        let payload_len = if raw { data.len().saturating_sub(header_len) } else { data.len() };
        if payload_len > mtu {
            return Err(Errno::EMSGSIZE);
        }
        if raw && data.len() < header_len {
            return Err(Errno::EINVAL);
        }
        let frame = match (raw, medium) {
            (true, _) if loopback => data[ethernet::HEADER..].to_vec(),
            (true, _) | (false, Medium::Ip) => data.to_vec(),
            (false, Medium::Ethernet { mac }) => {
                let protocol = to.map(|to| to.protocol).filter(|p| *p != 0).unwrap_or(own_protocol);
                let station = to.and_then(|to| to.mac).ok_or(Errno::EINVAL)?;
                let mut frame = ethernet::frame(station, mac, EthernetProtocol::from(protocol), data.len());
                ethernet::payload_mut(&mut frame).copy_from_slice(data);
                frame
            }
        };
        if loopback {
            let mut own = self.frames.take(frame.len());
            own.bytes_mut().copy_from_slice(&frame);
            self.transmit(LinkId::LO, own);
        } else {
            self.put_on_link(link, frame);
        }
        self.pump();
        Ok(data.len())
    }

    /// `PACKET_STATISTICS`: since it was asked last.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: not a packet socket.
    pub fn packet_statistics(&mut self, id: SocketId) -> Result<PacketStatistics, Errno> {
        Ok(std::mem::take(&mut self.packet_of(id)?.statistics))
    }

    /// `PACKET_ADD_MEMBERSHIP` and `PACKET_DROP_MEMBERSHIP` of `PACKET_MR_PROMISC`; gone with the socket.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EADDRNOTAVAIL`: it was not added.
    pub fn packet_promiscuous(&mut self, id: SocketId, link: LinkId, on: bool) -> Result<(), Errno> {
        if self.links.get(link).is_none() {
            return Err(Errno::ENODEV);
        }
        let packet = self.packet_of(id)?;
        if on {
            packet.promiscuous.push(link);
        } else {
            let at = packet.promiscuous.iter().position(|l| *l == link).ok_or(Errno::EADDRNOTAVAIL)?;
            packet.promiscuous.remove(at);
        }
        self.set_promiscuous(link, on)
    }

    pub(crate) fn packet_close(&mut self, id: SocketId, packet: &PacketSocket) {
        self.packet_sockets.retain(|other| *other != id);
        for link in &packet.promiscuous {
            // The link may have gone before.
            let _ = self.set_promiscuous(*link, false);
        }
    }

    /// Shows packet sockets a frame that has come in, or goes out (`outgoing`). `packet`: an IP packet, or an Ethernet frame on a link
    /// that has those.
    pub(crate) fn show_frame(&mut self, link: LinkId, bytes: &[u8], offload: Offload, outgoing: bool) {
        if self.packet_sockets.is_empty() && self.taps.is_empty() {
            return;
        }
        if offload.unsummed {
            let mut bytes = bytes.to_vec();
            offload.sum(self.links.get(link).map_or(0, Link::header_len), &mut bytes);
            self.show_frame(link, &bytes, Offload::NONE, outgoing);
            return;
        }
        self.show_to_taps(link, !outgoing, bytes);
        if self.packet_sockets.is_empty() {
            return;
        }
        let Some(found) = self.links.get(link) else { return };
        let (medium, promiscuous) = (found.medium, found.promiscuity > 0);
        match medium {
            Medium::Ethernet { mac } => {
                let (Some(dst), Some(src)) = (station(bytes, 0), station(bytes, 6)) else { return };
                let Some(kind) = bytes.get(12..14) else { return };
                let protocol = u16::from_be_bytes([kind[0], kind[1]]);
                // A bus shows us our own frames, too.
                if !outgoing && src == mac {
                    return;
                }
                let kind = match dst {
                    _ if outgoing => FrameKind::Outgoing,
                    Mac::BROADCAST => FrameKind::Broadcast,
                    dst if dst.0[0] & 1 == 1 => FrameKind::Multicast,
                    dst if dst == mac => FrameKind::Host,
                    _ if promiscuous => FrameKind::OtherHost,
                    _ => return,
                };
                let (mac, header_len) = (Some(src), ethernet::HEADER);
                self.tap(&Passing { link, medium, kind, protocol, mac, frame: bytes, header_len });
            }
            Medium::Ip => {
                let protocol: u16 =
                    if bytes.first().is_some_and(|byte| byte >> 4 == 6) { 0x86dd } else { 0x0800 };
                let kind = if outgoing { FrameKind::Outgoing } else { FrameKind::Host };
                if link == LinkId::LO {
                    // As Linux shows it: an Ethernet header without addresses.
                    let mut frame = vec![0; ethernet::HEADER + bytes.len()];
                    frame[12..14].copy_from_slice(&protocol.to_be_bytes());
                    frame[ethernet::HEADER..].copy_from_slice(bytes);
                    let (mac, header_len) = (Some(Mac::default()), ethernet::HEADER);
                    self.tap(&Passing { link, medium, kind, protocol, mac, frame: &frame, header_len });
                } else {
                    self.tap(&Passing {
                        link,
                        medium,
                        kind,
                        protocol,
                        mac: None,
                        frame: bytes,
                        header_len: 0,
                    });
                }
            }
        }
    }

    fn tap(&mut self, passing: &Passing<'_>) {
        for id in self.packet_sockets.clone() {
            let at_ns = self.now_ns;
            let Some(socket) = self.sockets.get_mut(id.0) else { continue };
            let limit = usize::try_from(socket.options.rcvbuf).unwrap_or(usize::MAX);
            let Kind::Packet(packet) = &mut socket.kind else { continue };
            // Only who asks for all sees what is sent (dev_queue_xmit_nit).
            let unasked = passing.kind == FrameKind::Outgoing && packet.protocol != ALL;
            if unasked || !packet.wants(passing.link, passing.protocol) {
                continue;
            }
            let skipped = if packet.raw { 0 } else { passing.header_len };
            let data = &passing.frame[skipped..];
            let hatype = hatype(passing.medium, passing.link == LinkId::LO);
            let about = About {
                protocol: passing.protocol,
                packet_type: passing.kind.number(),
                ifindex: passing.link.index(),
                hatype,
                network: passing.header_len - skipped,
            };
            let kept = socket.filter.as_ref().map_or(usize::MAX, |filter| filter.run(data, &about));
            if kept == 0 {
                continue;
            }
            packet.statistics.packets = packet.statistics.packets.wrapping_add(1);
            if packet.charged > limit {
                packet.statistics.drops = packet.statistics.drops.wrapping_add(1);
                continue;
            }
            let from = LinkAddr {
                link: Some(passing.link),
                protocol: passing.protocol,
                hatype,
                kind: passing.kind,
                mac: passing.mac,
            };
            let full_len = data.len();
            let data = data[..data.len().min(kept)].to_vec();
            packet.charged += data.len() + OVERHEAD;
            packet.queue.push_back(Captured { from, data, full_len, at_ns });
            self.note_arrival(id);
            self.note(id);
        }
    }
}

fn station(frame: &[u8], at: usize) -> Option<Mac> {
    frame.get(at..)?.first_chunk::<6>().map(|bytes| Mac(*bytes))
}
