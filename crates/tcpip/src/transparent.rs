//! Links whose packets for other hosts are taken here, as by a transparent proxy (Linux: `TPROXY`, `IP_TRANSPARENT`): whoever has the
//! stack carries them on by means of its own, and answers in the name of those hosts.
//!
//! What a socket of this stack takes is its own. Of the rest, a SYN waits until [`Stack::accept_intercepted`] or
//! [`Stack::refuse_intercepted`] has said what becomes of it, so that a connection is there only once it is at the far end, too;
//! datagrams and echo requests are handed out as they come.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use abi::Errno;
use smoltcp::wire::{IpAddress, IpRepr};

use crate::{
    Offload, Stack, addr,
    addr::{Endpoint, Flow},
    icmp::Problem,
    option::Options,
    packet::{self, IpPacket, Segment},
    random::Keyed,
    route::Hints,
    socket::{Kind, Socket, Tcp},
    tcp::connection::Owner,
    types::{Domain, LinkId, Protocol, SocketId},
    udp_header::{Header, Variant},
};

/// SYNs that wait for a decision; those beyond are dropped, and come again.
const SYNS_MAX: usize = 1024;
/// Bytes of datagrams that nobody has fetched yet; those beyond are dropped.
const DATAGRAMS_MAX: usize = 4 << 20;
/// Of UDP, and of an echo request.
const HEADER: usize = 8;
const TTL: u8 = 64;
/// Of an echo message's header, the last two bytes.
const SEQUENCE_LEN: usize = 2;

/// Something for another host that was taken here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intercepted {
    /// Somebody wants a connection.
    Syn(InterceptedSyn),
    /// They want it no longer: their RST has come.
    Gone(InterceptedSyn),
    /// A datagram of UDP, or an echo request.
    Datagram(InterceptedDatagram),
}

/// The ends of a connection that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterceptedSyn {
    /// Who wants it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
}

impl InterceptedSyn {
    fn flow(&self) -> Flow {
        Flow { local: endpoint(self.to), remote: endpoint(self.from) }
    }
}

fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint { ip: addr.ip(), port: addr.port() }
}

/// A datagram or an echo request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterceptedDatagram {
    /// Who sent it; of an echo request, the port is its identifier.
    pub from: SocketAddr,
    /// To whom; of an echo request, the port is 0.
    pub to: SocketAddr,
    /// [`Protocol::Udp`] or [`Protocol::Ping`].
    pub protocol: Protocol,
    /// What is left of its TTL or hop limit.
    pub ttl: u8,
    /// TOS or traffic class.
    pub tos: u8,
    /// Routers may not cut it.
    pub dont_fragment: bool,
    link: LinkId,
    /// The IP packet.
    packet: Box<[u8]>,
    /// Where its data begins.
    data: usize,
}

impl InterceptedDatagram {
    /// What is behind UDP's header, or behind identifier and sequence number.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.packet.get(self.data..).unwrap_or_default()
    }

    /// An ICMP message as it is, from its type on.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.packet.get(self.data - HEADER..).unwrap_or_default()
    }

    fn variant(&self) -> Variant {
        if self.protocol == Protocol::Ping { Variant::Ping } else { Variant::Udp }
    }

    /// Without most of its data: enough for [`Stack::reject`] to quote.
    #[must_use]
    pub fn head(mut self) -> Self {
        const QUOTED: usize = 128;
        if self.packet.len() > QUOTED {
            self.packet = self.packet[..QUOTED].into();
        }
        self
    }
}

/// An ICMP error about a datagram that was carried on, as the network beyond has told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldError {
    /// Who has told.
    pub from: IpAddr,
    /// ICMP's or ICMPv6's type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Of a packet that was too long: the MTU.
    pub info: u32,
}

/// What the sender of a SYN is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody listens there: RST.
    Reset,
    /// An ICMP error.
    Problem(Problem),
    /// Nothing: it will try again.
    Silence,
}

/// What was taken and not yet handled.
#[derive(Debug)]
pub(crate) struct Interceptions {
    syns: HashMap<Flow, (LinkId, Box<[u8]>), Keyed>,
    queue: VecDeque<Intercepted>,
    /// Bytes of datagrams in the queue.
    bytes: usize,
}

impl Interceptions {
    pub(crate) fn new(hasher: Keyed) -> Self {
        Self { syns: HashMap::with_hasher(hasher), queue: VecDeque::new(), bytes: 0 }
    }
}

impl Stack {
    /// From now on packets for other hosts that come in on a link are taken here, or no longer.
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn set_transparent(&mut self, link: LinkId, transparent: bool) -> Result<(), Errno> {
        self.links.get_mut(link).ok_or(Errno::ENODEV)?.transparent = transparent;
        Ok(())
    }

    /// What was taken next.
    pub fn next_intercepted(&mut self) -> Option<Intercepted> {
        let next = self.interceptions.queue.pop_front()?;
        if let Intercepted::Datagram(datagram) = &next {
            self.interceptions.bytes = self.interceptions.bytes.saturating_sub(datagram.packet.len());
        }
        Some(next)
    }

    /// Answers a SYN: the connection's socket, which is connected as soon as the handshake is over.
    ///
    /// # Errors
    /// `ECONNABORTED`: it is wanted no longer. `ENETUNREACH`: there is no way back.
    pub fn accept_intercepted(&mut self, syn: &InterceptedSyn) -> Result<SocketId, Errno> {
        let (link, bytes) = self.interceptions.syns.remove(&syn.flow()).ok_or(Errno::ECONNABORTED)?;
        let ip = IpPacket::parse(&bytes, false).ok_or(Errno::ECONNABORTED)?;
        let segment = Segment::parse(&ip, false).ok_or(Errno::ECONNABORTED)?;
        let domain = if ip.src.is_ipv4() { Domain::Inet } else { Domain::Inet6 };
        let options = Options::new(Protocol::Tcp, domain, &self.settings);
        let id = SocketId(self.sockets.insert(Socket::new(domain, options, Kind::Tcp(Tcp::Closed))));
        let key = self.passive_connection(Owner::Socket(id), (domain, &options), link, &segment);
        let Some(key) = key else {
            self.sockets.remove(id.0);
            return Err(Errno::ENETUNREACH);
        };
        if let Some(socket) = self.sockets.get_mut(id.0) {
            socket.kind = Kind::Tcp(Tcp::Connection(key));
        }
        self.connection_input(key, &segment);
        self.pump();
        Ok(id)
    }

    /// bind(2) to an address that need not be ours (`IP_TRANSPARENT`): what is sent from there is sent in another's name.
    ///
    /// # Errors
    /// As [`Stack::bind`].
    pub fn bind_in_the_name_of(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        if self.sockets.find(id)?.binding.is_some() {
            return Err(Errno::EINVAL);
        }
        self.bind_to(id, Some(addr.ip()), addr.port())
    }

    /// Answers a SYN otherwise.
    pub fn refuse_intercepted(&mut self, syn: &InterceptedSyn, refusal: Refusal) {
        let Some((link, bytes)) = self.interceptions.syns.remove(&syn.flow()) else { return };
        let Some(ip) = IpPacket::parse(&bytes, false) else { return };
        match (refusal, Segment::parse(&ip, false)) {
            (Refusal::Reset, Some(segment)) => self.refuse(link, &segment),
            (Refusal::Problem(problem), _) => self.send_problem(link, &ip, problem),
            _ => {}
        }
        self.pump();
    }

    /// Tells who sent a datagram that it cannot be delivered.
    pub fn reject(&mut self, datagram: &InterceptedDatagram, problem: Problem) {
        let ip = IpPacket {
            src: datagram.from.ip(),
            dst: datagram.to.ip(),
            protocol: datagram.variant().protocol(datagram.to.ip()),
            ttl: datagram.ttl,
            tos: datagram.tos,
            fragment: None,
            reassembled: false,
            offload: Offload::NONE,
            payload: datagram.message(),
            bytes: &datagram.packet,
        };
        self.send_problem(datagram.link, &ip, problem);
        self.pump();
    }

    /// Passes on to who sent a datagram what the network beyond has told about it, in the words and in the name of who has told.
    /// `sequence`: of an echo request, its sequence number, if that is not the datagram's. What is no error, or of another family, is
    /// not passed on.
    pub fn pass_on(&mut self, datagram: &InterceptedDatagram, told: &ToldError, sequence: Option<[u8; 2]>) {
        let mut packet = datagram.packet.clone();
        let place = datagram.data - SEQUENCE_LEN..datagram.data;
        if let (Some(sequence), Protocol::Ping, Some(field)) =
            (sequence, datagram.protocol, packet.get_mut(place))
        {
            field.copy_from_slice(&sequence);
        }
        self.send_told(datagram.link, &packet, datagram.from.ip(), told);
        self.pump();
    }

    /// Sends a datagram of UDP in another's name.
    ///
    /// # Errors
    /// `ENETUNREACH`: no way there. `EMSGSIZE`: longer than a packet. `EINVAL`: addresses of different families.
    pub fn send_datagram(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8]) -> Result<(), Errno> {
        if from.is_ipv4() != to.is_ipv4() {
            return Err(Errno::EINVAL);
        }
        let link = self.way(to.ip(), Hints::default())?.link;
        let headers = HEADER + if to.is_ipv4() { 20 } else { 0 };
        if data.len() + headers > usize::from(u16::MAX) {
            return Err(Errno::EMSGSIZE);
        }
        let caps = self.links.carrier(link).checksums();
        let flow = Flow { local: endpoint(from), remote: endpoint(to) };
        let (src, dst) = (IpAddress::from(from.ip()), IpAddress::from(to.ip()));
        let variant = Variant::Udp;
        let ip = IpRepr::new(src, dst, variant.protocol(to.ip()), HEADER + data.len(), TTL);
        let mut frame = self.frames.take(ip.buffer_len());
        ip.emit(frame.bytes_mut(), &caps);
        if to.is_ipv4() {
            packet::clear_dont_frag(frame.bytes_mut(), &caps);
        }
        let header = Header { variant, flow, coverage: 0 };
        header.emit(&mut frame.bytes_mut()[ip.header_len()..], data, &caps);
        self.counters.udp_out_datagrams += 1;
        self.transmit(link, frame);
        self.pump();
        Ok(())
    }

    /// Sends the reply to an echo request in another's name. `message`: the reply from its type on, its checksum is made here.
    pub fn send_echo_reply(&mut self, from: IpAddr, to: IpAddr, message: &[u8]) {
        if from.is_ipv4() == to.is_ipv4() && message.len() >= HEADER {
            self.send_icmp(LinkId::LO, Some(from), to, message);
            self.pump();
        }
    }

    fn is_transparent(&self, link: LinkId) -> bool {
        self.links.get(link).is_some_and(|link| link.transparent)
    }

    /// Whether a packet for another host is taken. Addresses that mean nothing beyond a link or a host are not: a host that they were
    /// carried to would take them for its own.
    pub(crate) fn intercepts(&self, link: LinkId, dst: IpAddr) -> bool {
        self.is_transparent(link) && is_global(dst)
    }

    /// Takes a SYN for which nobody listens. `false`: it is to be refused.
    pub(crate) fn intercept_syn(&mut self, link: LinkId, segment: &Segment<'_>) -> bool {
        let end = |end: Endpoint| SocketAddr::new(end.ip, end.port);
        let Flow { local, remote } = segment.flow;
        let syn = InterceptedSyn { from: end(remote), to: end(local) };
        if segment.rst && self.interceptions.syns.remove(&segment.flow).is_some() {
            self.interceptions.queue.push_back(Intercepted::Gone(syn));
            return true;
        }
        if !self.is_transparent(link) || !segment.syn || segment.ack.is_some() || segment.rst || segment.fin {
            return false;
        }
        let known = self.interceptions.syns.contains_key(&segment.flow);
        if !known && self.interceptions.syns.len() < SYNS_MAX {
            self.interceptions.syns.insert(segment.flow, (link, segment.bytes.into()));
            self.interceptions.queue.push_back(Intercepted::Syn(syn));
        }
        true
    }

    /// Takes a datagram or an echo request for which nobody has a socket. `false`: it is not for us.
    pub(crate) fn intercept_datagram(&mut self, link: LinkId, ip: &IpPacket<'_>, variant: Variant) -> bool {
        if !self.is_transparent(link) {
            return false;
        }
        let &[s0, s1, d0, d1, i0, i1, _, _, ..] = ip.payload else { return false };
        let word = |high, low| u16::from_be_bytes([high, low]);
        let (protocol, from, to) = match variant {
            Variant::Udp => (Protocol::Udp, word(s0, s1), word(d0, d1)),
            Variant::Ping => (Protocol::Ping, word(i0, i1), 0),
            _ => return false,
        };
        if self.interceptions.bytes + ip.bytes.len() <= DATAGRAMS_MAX && (variant == Variant::Ping || to > 0)
        {
            self.interceptions.bytes += ip.bytes.len();
            self.interceptions.queue.push_back(Intercepted::Datagram(InterceptedDatagram {
                from: SocketAddr::new(ip.src, from),
                to: SocketAddr::new(ip.dst, to),
                protocol,
                ttl: ip.ttl,
                tos: ip.tos,
                dont_fragment: !ip.may_be_fragmented() && !ip.reassembled,
                link,
                packet: ip.bytes.into(),
                data: ip.bytes.len() - ip.payload.len() + HEADER,
            }));
        }
        true
    }
}

/// Whether an address means the same host elsewhere.
fn is_global(ip: IpAddr) -> bool {
    addr::is_unicast(ip)
        && !ip.is_loopback()
        && match ip {
            IpAddr::V4(v4) => !v4.is_link_local() && v4.octets()[0] != 0,
            IpAddr::V6(v6) => !v6.is_unicast_link_local() && v6.to_ipv4_mapped().is_none(),
        }
}
