//! The stack as a value: what the kernel calls.

use std::{
    collections::{HashMap, VecDeque},
    net::{Shutdown, SocketAddr},
};

use abi::Errno;

use crate::{
    Config, Counters, Domain, LinkId, Offload, Opt, Options, Outgoing, Program, Readiness, Received, Sending,
    Settings, SocketId, SocketInfo, TcpInfo, addr,
    addr::Flow,
    autoconf::Autoconf,
    event::Events,
    frame::{Frame, Frames},
    icmp::RateLimit,
    link::{Link, Links},
    neighbour::Neighbours,
    path_mtu::PathMtus,
    ports::Ports,
    random::{Keyed, Random},
    raw::RawOptions,
    reassembly::Reassembly,
    route::Routes,
    slab::{Key, Slab},
    socket::{Kind, Socket, Sockets, Tcp},
    tap::Taps,
    tcp::{
        connection::{Connections, Limits},
        time_wait::{FlowEntry, TimeWaits},
    },
    timers::Timers,
    transparent::Interceptions,
    types::{Medium, Protocol},
    udp::Udp,
    udp_header::Variant,
    upkeep::Upkeep,
};

/// One TCP/IP stack. See the crate's documentation.
#[derive(Debug)]
pub struct Stack {
    pub(crate) now_ns: u64,
    pub(crate) random: Random,
    pub(crate) hasher: Keyed,
    pub(crate) links: Links,
    pub(crate) routes: Routes,
    pub(crate) neighbours: Neighbours,
    pub(crate) upkeep: Upkeep,
    pub(crate) events: Events,
    pub(crate) autoconf: Autoconf,
    pub(crate) reassembly: Reassembly,
    pub(crate) path_mtus: PathMtus,
    pub(crate) icmp_limit: RateLimit,
    /// Identification of the next packet that is cut.
    pub(crate) fragment_id: u32,
    pub(crate) sockets: Sockets,
    pub(crate) connections: Connections,
    /// TCP flows by their ends.
    pub(crate) flows: HashMap<Flow, FlowEntry, Keyed>,
    pub(crate) time_waits: TimeWaits,
    /// Connected UDP sockets by their ends.
    pub(crate) udp_flows: HashMap<(Variant, Flow), SocketId, Keyed>,
    pub(crate) tcp_ports: Ports,
    pub(crate) udp_ports: Ports,
    pub(crate) udplite_ports: Ports,
    /// Identifiers of echo requests.
    pub(crate) ping_ports: Ports,
    /// Raw sockets by their protocol.
    pub(crate) raw_ports: Ports,
    pub(crate) packet_sockets: Vec<SocketId>,
    /// What was sent to groups that this host listens to, and where.
    pub(crate) looped: VecDeque<(LinkId, Vec<u8>)>,
    pub(crate) timers: Timers,
    pub(crate) frames: Frames,
    /// Packets on `lo`.
    pub(crate) lo: VecDeque<Frame>,
    /// Frames for other links.
    pub(crate) outgoing: VecDeque<(LinkId, Outgoing)>,
    /// Connections that may have something to send.
    pub(crate) output_queue: VecDeque<Key>,
    pub(crate) changes: VecDeque<SocketId>,
    /// Sockets to which urgent data was announced.
    pub(crate) urgent: VecDeque<SocketId>,
    pub(crate) counters: Counters,
    pub(crate) settings: Settings,
    pub(crate) taps: Taps,
    pub(crate) interceptions: Interceptions,
}

impl Stack {
    /// A stack with `lo` up, at time 0.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut random = Random::new(config.seed);
        let hasher = Keyed(random.next());
        let fragment_id = u32::try_from(random.next() >> 32).unwrap_or(1);
        Self {
            now_ns: 0,
            random,
            hasher,
            links: Links::new(),
            routes: Routes::default(),
            neighbours: Neighbours::new(hasher),
            upkeep: Upkeep::default(),
            events: Events::default(),
            autoconf: Autoconf::default(),
            reassembly: Reassembly::new(hasher),
            path_mtus: PathMtus::new(hasher),
            icmp_limit: RateLimit::default(),
            fragment_id,
            sockets: Slab::new(),
            connections: Slab::new(),
            flows: HashMap::with_hasher(hasher),
            time_waits: TimeWaits::default(),
            udp_flows: HashMap::with_hasher(hasher),
            tcp_ports: Ports::new(Protocol::Tcp, hasher),
            udp_ports: Ports::new(Protocol::Udp, hasher),
            udplite_ports: Ports::new(Protocol::UdpLite, hasher),
            ping_ports: Ports::new(Protocol::Ping, hasher),
            raw_ports: Ports::new(Protocol::Raw, hasher),
            packet_sockets: Vec::new(),
            looped: VecDeque::new(),
            timers: Timers::default(),
            frames: Frames::default(),
            lo: VecDeque::new(),
            outgoing: VecDeque::new(),
            output_queue: VecDeque::new(),
            changes: VecDeque::new(),
            urgent: VecDeque::new(),
            counters: Counters::default(),
            settings: Settings::default(),
            taps: Taps::default(),
            interceptions: Interceptions::new(hasher),
        }
    }

    /// Sets the time, in nanoseconds of a clock that never goes back, and does what has become due.
    pub fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        while let Some((at_ns, key)) = self.timers.pop(self.now_ns) {
            self.fire(at_ns, key);
        }
        self.expire_time_waits();
        self.serve_neighbours();
        self.keep_up();
        self.expire_fragments();
        self.configure();
        self.pump();
    }

    /// When [`Stack::advance`] must be called at the latest. May be early, never late; `None`: nothing is due
    /// until a call or a frame comes in.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let due = [
            self.timers.next(),
            self.time_waits.next(),
            self.neighbours.next(),
            self.upkeep.next(),
            self.reassembly.next(),
            self.autoconf.next(),
        ];
        due.into_iter().flatten().min()
    }

    /// What sysctl(8) has set.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What sysctl(8) may set; sockets and connections made from now on obey.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Takes a frame that arrived on `link`: an IP packet or an Ethernet frame, as the link's medium is. Any bytes will do; what is
    /// malformed is counted and dropped, and so is what comes from a link that is down or was removed.
    pub fn frame_in(&mut self, link: LinkId, frame: &[u8]) {
        self.frame_in_with(link, frame, Offload::NONE);
    }

    /// As [`Stack::frame_in`], with what its sender has left to be done for it. What does not fit the frame is malformed.
    pub fn frame_in_with(&mut self, link: LinkId, frame: &[u8], offload: Offload) {
        let Some(found) = self.links.get_mut(link).filter(|found| found.up) else {
            self.counters.ip_in_addr_errors += 1;
            return;
        };
        found.counters.rx_packets += 1;
        found.counters.rx_bytes += frame.len() as u64;
        let medium = found.medium;
        if matches!(medium, Medium::Ethernet { .. }) && frame.first().is_some_and(|byte| byte & 1 == 1) {
            found.counters.multicast += 1;
        }
        self.show_frame(link, frame, offload, false);
        match medium {
            Medium::Ip => self.ip_input(link, frame, offload),
            Medium::Ethernet { mac } => self.ethernet_input(link, mac, frame, offload),
        }
        self.pump();
    }

    /// The next frame to send, and where. What it is, is said by the link's medium.
    pub fn next_frame(&mut self) -> Option<(LinkId, Vec<u8>)> {
        let (link, frame) = self.outgoing.pop_front()?;
        if frame.offload == Offload::NONE {
            return Some((link, frame.bytes));
        }
        let header_len = self.links.get(link).map_or(0, Link::header_len);
        let pieces = frame.offload.finish(header_len, frame.bytes);
        pieces.into_iter().rev().for_each(|piece| self.outgoing.push_front((link, piece.into())));
        self.next_frame()
    }

    /// As [`Stack::next_frame`], for links that do what is left to be done.
    pub fn next_frame_with(&mut self) -> Option<(LinkId, Outgoing)> {
        self.outgoing.pop_front()
    }

    /// Whether [`Stack::next_frame`] has one.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// A socket whose readiness changed, or that received more, since it was last named here.
    pub fn next_change(&mut self) -> Option<SocketId> {
        while let Some(id) = self.changes.pop_front() {
            if let Some(socket) = self.sockets.get_mut(id.0) {
                socket.change_queued = false;
                return Some(id);
            }
        }
        None
    }

    /// What poll(2) would find. A closed socket is all false.
    #[must_use]
    pub fn readiness(&self, id: SocketId) -> Readiness {
        let Some(socket) = self.sockets.get(id.0) else { return Readiness::default() };
        let (read_shut, write_shut) = (socket.read_shut, socket.write_shut);
        let ready = match &socket.kind {
            Kind::Tcp(tcp) => self.tcp_readiness(tcp, read_shut, write_shut),
            Kind::Udp(udp) => udp.readiness(read_shut, write_shut),
            Kind::Packet(packet) => packet.readiness(),
        };
        Readiness { err: ready.err || socket.error.is_some(), ..ready }
    }

    /// socket(2), `SOCK_STREAM`.
    pub fn tcp_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::Tcp)
    }

    /// socket(2), `SOCK_DGRAM`.
    pub fn udp_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::Udp)
    }

    /// socket(2), `SOCK_DGRAM` with `IPPROTO_UDPLITE`.
    pub fn udplite_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::UdpLite)
    }

    /// socket(2), `SOCK_DGRAM` with `IPPROTO_ICMP` or `IPPROTO_ICMPV6`: sends echo requests, whose identifier is its port, and
    /// receives the replies.
    pub fn ping_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::Ping)
    }

    /// bind(2). Port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `EINVAL`: already bound. `EADDRINUSE`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`: bind(2).
    pub fn bind(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        self.bind_explicitly(id, addr)
    }

    /// listen(2). An unbound socket gets an ephemeral port.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EINVAL`, `EOPNOTSUPP`: listen(2).
    pub fn listen(&mut self, id: SocketId, backlog: u32) -> Result<(), Errno> {
        self.tcp_listen(id, backlog)
    }

    /// connect(2). For UDP it sets the peer. For TCP the first call starts and answers `EINPROGRESS`, even on `lo`;
    /// later ones answer `EALREADY` while it goes on, success or the failure once, then `EISCONN`. A kernel that
    /// blocks calls it again when the socket has changed.
    ///
    /// # Errors
    /// As above, and connect(2): `ECONNREFUSED`, `ETIMEDOUT`, `ENETUNREACH`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`.
    pub fn connect(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        let result = match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_connect(id, addr),
            Kind::Udp(_) => self.udp_connect(id, addr),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        };
        self.note_failure(id, result)
    }

    /// connect(2) with `AF_UNSPEC`: a UDP socket forgets its peer, a TCP connection is reset.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn disconnect(&mut self, id: SocketId) -> Result<(), Errno> {
        match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_disconnect(id),
            Kind::Udp(_) => self.udp_disconnect(id),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// accept(2): the connection's socket and its peer.
    ///
    /// # Errors
    /// `EAGAIN`: none waits. `EINVAL`: not listening. `EOPNOTSUPP`: not TCP.
    pub fn accept(&mut self, id: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        self.tcp_accept(id)
    }

    /// send(2): how many bytes were taken. UDP: the datagram goes to the peer.
    ///
    /// # Errors
    /// `EAGAIN`: no room. `EPIPE`, `ENOTCONN`, `ECONNRESET`, `EDESTADDRREQ`, `EMSGSIZE`: send(2). A pending error
    /// (`SO_ERROR`) is answered and cleared.
    pub fn send(&mut self, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        let result = match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_send(id, data),
            Kind::Udp(_) => self.udp_send(id, data, None, &Sending::default()),
            Kind::Packet(_) => self.packet_send(id, data, None),
        };
        self.note_failure(id, result)
    }

    /// recv(2): how many bytes came; 0 at the end of the stream. `peek` leaves them there (`MSG_PEEK`).
    ///
    /// # Errors
    /// `EAGAIN`: nothing there. `ENOTCONN`, `ECONNREFUSED`: recv(2). A pending error (`SO_ERROR`) is answered and
    /// cleared, after the bytes that arrived before it.
    pub fn recv(&mut self, id: SocketId, buf: &mut [u8], peek: bool) -> Result<usize, Errno> {
        let result = match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_recv(id, buf, peek),
            Kind::Udp(_) => self.udp_recv(id, buf, peek).map(|received| received.len),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        };
        self.note_failure(id, result)
    }

    /// sendto(2) on a UDP socket; without an address it is [`Stack::send`].
    ///
    /// # Errors
    /// As [`Stack::send`], and `EACCES`: a broadcast address without `SO_BROADCAST`.
    pub fn send_to(&mut self, id: SocketId, data: &[u8], to: Option<SocketAddr>) -> Result<usize, Errno> {
        self.send_message(id, data, to, &Sending::default())
    }

    /// sendmsg(2) on a UDP socket, with control messages.
    ///
    /// # Errors
    /// As [`Stack::send_to`], and `ENETUNREACH`, `EINVAL`: a source address that is not ours.
    pub fn send_message(
        &mut self,
        id: SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
        how: &Sending,
    ) -> Result<usize, Errno> {
        let result = match self.sockets.find(id)?.kind {
            // tcp(7): the address is ignored.
            Kind::Tcp(_) => self.tcp_send(id, data),
            Kind::Udp(_) => self.udp_send(id, data, to, how),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        };
        self.note_failure(id, result)
    }

    /// recvmsg(2) on a UDP socket.
    ///
    /// # Errors
    /// `EAGAIN`: nothing there. `EOPNOTSUPP`: not UDP. A pending error is answered and cleared.
    pub fn recv_from(&mut self, id: SocketId, buf: &mut [u8], peek: bool) -> Result<Received, Errno> {
        let result = self.udp_recv(id, buf, peek);
        self.note_failure(id, result)
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`: not connected.
    pub fn shutdown(&mut self, id: SocketId, how: Shutdown) -> Result<(), Errno> {
        match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_shutdown(id, how),
            Kind::Udp(_) => self.udp_shutdown(id, how),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// The last close(2). What the peer is still owed is sent by the stack itself; unread bytes or `SO_LINGER` 0
    /// reset the connection (RFC 2525, section 2.17). The id is dead from here on.
    pub fn close(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.remove(id.0) else { return };
        self.unbind(id, &socket);
        self.leave_all(socket.groups);
        match socket.kind {
            Kind::Tcp(tcp) => self.tcp_close(id, tcp, socket.options.linger),
            Kind::Udp(udp) => self.udp_close(id, &udp),
            Kind::Packet(packet) => self.packet_close(id, &packet),
        }
    }

    /// getsockname(2): the unspecified address and port 0 while unbound.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let socket = self.sockets.find(id)?;
        let end = self.flow_of(socket).map(|flow| flow.local).or_else(|| socket.bound_end());
        Ok(end.map_or_else(
            || SocketAddr::new(addr::unspecified(socket.domain), 0),
            |end| addr::scoped(addr::to_program(socket.domain, end), self.bound_of(socket)),
        ))
    }

    /// getpeername(2).
    ///
    /// # Errors
    /// `ENOTCONN`: there is none.
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let socket = self.sockets.find(id)?;
        let gone = |key| self.connections.get(key).is_none_or(|c| c.over || c.is_opening());
        if socket.connection().is_some_and(gone) {
            return Err(Errno::ENOTCONN);
        }
        let flow = self.flow_of(socket).ok_or(Errno::ENOTCONN)?;
        Ok(addr::scoped(addr::to_program(socket.domain, flow.remote), self.bound_of(socket)))
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    pub fn take_error(&mut self, id: SocketId) -> Option<Errno> {
        let error = self.sockets.get_mut(id.0)?.error.take();
        self.note(id);
        error
    }

    /// Whether listen(2) was called on it (`SO_ACCEPTCONN`).
    #[must_use]
    pub fn is_listening(&self, id: SocketId) -> bool {
        self.sockets.get(id.0).is_some_and(|s| s.listener().is_some())
    }

    /// Its options.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn options(&self, id: SocketId) -> Result<Options, Errno> {
        self.sockets.find(id).map(|socket| socket.options)
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// `EINVAL`: out of range, or too late. `ENOPROTOOPT`: not an option of this protocol.
    pub fn set_option(&mut self, id: SocketId, opt: Opt) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        if opt.is_tcp() && !matches!(socket.kind, Kind::Tcp(_)) {
            return Err(Errno::ENOPROTOOPT);
        }
        if matches!(opt, Opt::V6Only(_)) && (socket.domain == Domain::Inet || socket.binding.is_some()) {
            return Err(if socket.domain == Domain::Inet { Errno::ENOPROTOOPT } else { Errno::EINVAL });
        }
        socket.options.set(opt, &self.settings)?;
        if let (Opt::RecvErr4(false) | Opt::RecvErr6(false), Kind::Udp(udp)) = (opt, &mut socket.kind) {
            udp.errors.clear();
        }
        self.apply_options(id);
        Ok(())
    }

    /// `FIONREAD`: bytes that wait, up to urgent data; for UDP, of the next datagram.
    #[must_use]
    pub fn unread(&self, id: SocketId) -> usize {
        let Some(socket) = self.sockets.get(id.0) else { return 0 };
        match &socket.kind {
            Kind::Tcp(Tcp::Connection(key)) => self.connections.get(*key).map_or(0, |c| c.engine.unread()),
            Kind::Tcp(_) => 0,
            Kind::Udp(udp) => udp.next_len(),
            Kind::Packet(packet) => packet.next_len(),
        }
    }

    /// `SIOCOUTQ`: bytes not yet acknowledged.
    #[must_use]
    pub fn unsent(&self, id: SocketId) -> usize {
        let connection = self.sockets.get(id.0).and_then(Socket::connection);
        connection.and_then(|key| self.connections.get(key)).map_or(0, |c| c.engine.send_queue())
    }

    /// How many bytes [`Stack::send`] would take of a connection.
    #[must_use]
    pub fn room(&self, id: SocketId) -> usize {
        let connection = self.sockets.get(id.0).and_then(Socket::connection);
        let open =
            connection.and_then(|key| self.connections.get(key)).filter(|c| !c.is_opening() && !c.over);
        open.map_or(0, |c| c.engine.send_capacity().saturating_sub(c.engine.send_queue()))
    }

    /// `TCP_INFO`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: not TCP.
    pub fn tcp_info(&self, id: SocketId) -> Result<TcpInfo, Errno> {
        self.tcp_report(id)
    }

    /// All sockets and what closed ones left behind, for `rump sockstat`.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketInfo> {
        self.report_sockets()
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn add_socket(&mut self, domain: Domain, protocol: Protocol) -> SocketId {
        let kind = match protocol {
            Protocol::Tcp => Kind::Tcp(Tcp::Closed),
            Protocol::Udp => Kind::Udp(Udp::new(Variant::Udp)),
            Protocol::UdpLite => Kind::Udp(Udp::new(Variant::Lite)),
            _ => Kind::Udp(Udp::new(Variant::Ping)),
        };
        let id = SocketId(self.sockets.insert(Socket::new(
            domain,
            Options::new(protocol, domain, &self.settings),
            kind,
        )));
        let ready = self.readiness(id);
        if let Some(socket) = self.sockets.get_mut(id.0) {
            socket.told = ready;
        }
        id
    }

    /// The link that a socket keeps to.
    fn bound_of(&self, socket: &Socket) -> Option<LinkId> {
        let connection = socket.connection().and_then(|key| self.connections.get(key));
        let udp = match &socket.kind {
            Kind::Udp(udp) => udp.scope,
            _ => None,
        };
        connection.and_then(|c| c.bound).or(udp).or(socket.options.bound_link)
    }

    pub(crate) fn add_raw_socket(&mut self, domain: Domain, protocol: u8) -> SocketId {
        let mut udp = Udp::new(Variant::Raw(protocol));
        udp.raw = Some(Box::new(RawOptions::new(domain, protocol)));
        let options = Options::new(Protocol::Raw, domain, &self.settings);
        let id = SocketId(self.sockets.insert(Socket::new(domain, options, Kind::Udp(udp))));
        if let Some(socket) = self.sockets.get_mut(id.0) {
            let port = protocol.into();
            socket.binding = Some(crate::socket::Binding { port, ip: None });
            let claim = socket.claim(None);
            self.raw_ports.bind(id, port, claim);
        }
        self.note(id);
        id
    }

    /// `SO_ATTACH_FILTER`, `SO_DETACH_FILTER`.
    ///
    /// # Errors
    /// `EBADF`: no such socket. `ENOENT`: there is none to detach. `EOPNOTSUPP`: TCP's segments are not filtered.
    pub fn set_filter(&mut self, id: SocketId, filter: Option<Program>) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        if matches!(socket.kind, Kind::Tcp(_)) && filter.is_some() {
            return Err(Errno::EOPNOTSUPP);
        }
        if filter.is_none() && socket.filter.is_none() {
            return Err(Errno::ENOENT);
        }
        socket.filter = filter.map(Box::new);
        Ok(())
    }

    /// A call that fails may have taken the pending error away; the next one is to be told again.
    fn note_failure<T>(&mut self, id: SocketId, result: Result<T, Errno>) -> Result<T, Errno> {
        if result.is_err() {
            self.note(id);
        }
        result
    }

    fn flow_of(&self, socket: &Socket) -> Option<Flow> {
        match &socket.kind {
            Kind::Tcp(Tcp::Connection(key)) => self.connections.get(*key).map(|c| c.flow),
            Kind::Tcp(_) => None,
            Kind::Udp(udp) => udp.flow,
            Kind::Packet(_) => None,
        }
    }

    /// Lets a change of options act on what is open already.
    fn apply_options(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(id.0) else { return };
        let (options, kind, connection) = (socket.options, socket.protocol(), socket.connection());
        if let Some(binding) = socket.binding {
            let claim = socket.claim(binding.ip);
            self.ports_of(kind).set_claim(id, binding.port, claim);
        }
        if let Some(key) = connection
            && let Some(connection) = self.connections.get_mut(key)
        {
            connection.limits = Limits::new(&options, &self.settings);
            connection.engine.set_nodelay(options.nodelay);
            connection.engine.set_ttl(options.ttl);
            connection.engine.set_oob_inline(options.oob_inline);
            connection.engine.set_most(&options, &self.settings);
            self.queue_output(key);
            self.pump();
        }
    }
}
