//! Which connection, listener or TIME-WAIT a segment is for.

use std::hash::BuildHasher;

use crate::{
    Stack,
    addr::{self, Flow},
    frame::Carrier,
    option::Options,
    packet::{BareSegment, IpPacket, Segment},
    route::Hints,
    slab::Key,
    socket::Socket,
    tcp::{
        connection::{Clock, Connection, Limits, Owner},
        engine::{Check, Engine, Setup, State},
        time_wait::FlowEntry,
    },
    types::{Domain, LinkId, SocketId},
};

/// Connections in SYN-RECEIVED a listener may have, however small its backlog: they are short-lived, and without SYN
/// cookies a handful would shut the door to everybody.
const MIN_HALF_OPEN: usize = 256;

/// `net.ipv4.tcp_invalid_ratelimit`.
const CHALLENGE_NS: u64 = 500_000_000;

impl Stack {
    /// Takes a TCP segment.
    pub(crate) fn tcp_input(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let verify = link != LinkId::LO && !ip.offload.unsummed;
        let Some(segment) = Segment::parse(ip, verify) else {
            self.counters.tcp_in_segs += 1;
            self.counters.tcp_in_errs += 1;
            return;
        };
        self.counters.tcp_in_segs += u64::from(ip.offload.segments(segment.data_len));
        match self.flows.get(&segment.flow) {
            Some(&FlowEntry::Connection(key)) => self.connection_input(key, &segment),
            Some(FlowEntry::TimeWait(_)) => self.time_wait_input(link, &segment),
            // smoltcp has no peer at port 0.
            None if segment.flow.remote.port == 0 => self.counters.tcp_in_errs += 1,
            None => self.listener_input(link, &segment),
        }
    }

    /// Takes a segment of no flow that is known.
    pub(crate) fn listener_input(&mut self, link: LinkId, segment: &Segment<'_>) {
        let flow = segment.flow;
        let hash = self.hasher.hash_one(flow);
        let listener =
            self.tcp_ports.receiver(flow.local.port, flow.local.ip, hash, |id| self.is_open_on(id, link));
        match listener {
            Some(id) if segment.syn && segment.ack.is_none() && !segment.rst && !segment.fin => {
                self.open_passively(id, link, segment);
            }
            // RFC 9293, section 3.10.7.2: what acknowledges something is refused, all else dropped.
            Some(_) if segment.ack.is_none() => {}
            None if flow.local.port != 0 && self.intercept_syn(link, segment) => {}
            _ => self.refuse(link, segment),
        }
    }

    /// Whether a socket takes what comes from a link (`SO_BINDTODEVICE`).
    pub(crate) fn is_open_on(&self, id: SocketId, link: LinkId) -> bool {
        let bound = self.sockets.get(id.0).and_then(|socket| socket.options.bound_link);
        bound.is_none_or(|wanted| wanted == link)
    }

    pub(crate) fn connection_input(&mut self, key: Key, segment: &Segment<'_>) {
        let Some(connection) = self.connections.get(key) else { return };
        if let Owner::HalfOpen(listener) = connection.owner
            && self.sockets.get(listener.0).and_then(Socket::listener).is_some_and(|l| l.is_full())
            && !segment.rst
        {
            // The peer goes on retransmitting, and may find room later (Linux: tcp_check_req).
            self.counters.tcp_listen_overflows += 1;
            return;
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        match connection.engine.check(segment) {
            Check::Take => {}
            Check::Drop => return,
            Check::Challenge => return self.challenge(key),
        }
        if let Owner::Socket(id) = connection.owner
            && connection.has_news(segment)
            && self.sockets.get(id.0).is_some_and(|socket| socket.read_shut)
        {
            // Nobody will read it, shutdown(2) has said (net/ipv4/tcp_input.c, tcp_rcv_state_process).
            connection.reset = true;
            return self.abort(key);
        }
        connection.clock.heard_ns = self.now_ns;
        connection.clock.probes = 0;
        connection.soft_error = None;
        let open = connection.engine.state() != State::Closed;
        let news = connection.engine.ingress(self.now_ns, segment, &mut self.frames);
        if news.refused {
            // RFC 9293, section 3.10.7.4; RFC 7323, section 5.3, R1.
            let (link, answer) = (connection.link, connection.engine.announcement(self.now_ns));
            self.send_bare(link, answer);
            return;
        }
        connection.reset |= open && segment.rst && connection.engine.state() == State::Closed;
        if let (true, Owner::Socket(id)) = (news.urgent, connection.owner) {
            self.urgent.push_back(id);
        }
        if let (true, Owner::Socket(id)) = (news.urgent || news.urgent_there, connection.owner) {
            self.note_arrival(id);
        }
        self.send_made(key);
        self.queue_output(key);
    }

    /// Tells the peer where the connection is, not too often (RFC 5961, section 7).
    fn challenge(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.clock.challenged_ns.is_some_and(|at_ns| self.now_ns - at_ns < CHALLENGE_NS) {
            return;
        }
        connection.clock.challenged_ns = Some(self.now_ns);
        let (link, answer) = (connection.link, connection.engine.announcement(self.now_ns));
        self.send_bare(link, answer);
    }

    /// A SYN for a listener.
    fn open_passively(&mut self, id: SocketId, from: LinkId, segment: &Segment<'_>) {
        let Some(socket) = self.sockets.get(id.0) else { return };
        let Some(listener) = socket.listener() else { return };
        if listener.is_full() || listener.half_open.len() >= listener.backlog.max(MIN_HALF_OPEN) {
            self.counters.tcp_listen_overflows += 1;
            return;
        }
        let (options, domain) = (socket.options, socket.domain);
        let Some(key) = self.passive_connection(Owner::HalfOpen(id), (domain, &options), from, segment)
        else {
            return;
        };
        if let Some(listener) = self.sockets.get_mut(id.0).and_then(Socket::listener_mut) {
            listener.half_open.insert(key);
        }
        self.connection_input(key, segment);
    }

    /// How a new connection's engine is to be. Its timestamps go on from those of earlier connections between the two hosts.
    pub(crate) fn setup(&mut self, carrier: Carrier, options: &Options, flow: &Flow) -> Setup {
        let seeds = (self.random.next(), self.hasher.hash_one((flow.local.ip, flow.remote.ip)));
        Setup::new(carrier, options, &self.settings, seeds)
    }

    /// A connection that waits for the SYN which has come. None: there is no way back to who sent it.
    pub(crate) fn passive_connection(
        &mut self,
        owner: Owner,
        (domain, options): (Domain, &Options),
        from: LinkId,
        segment: &Segment<'_>,
    ) -> Option<Key> {
        let bound = options.bound_link.or_else(|| addr::confined(segment.flow.remote.ip).then_some(from));
        let source = Some(segment.flow.local.ip);
        let hints = Hints { link: bound, source, mark: options.mark, from_link: None };
        let way = self.way(segment.flow.remote.ip, hints).ok()?;
        let link = way.link;
        let carrier = self.carrier_to(segment.flow.remote.ip, &way);
        let setup = self.setup(carrier, options, &segment.flow);
        let mut engine = Engine::listen(&setup, segment.flow, self.now_ns)?;
        engine.set_options(options);
        self.counters.tcp_passive_opens += 1;
        Some(self.add_connection(Connection {
            engine,
            flow: segment.flow,
            link,
            domain,
            owner,
            over: false,
            fin_received: false,
            reset: false,
            announced: true,
            sharing: options.reuse_addr || options.reuse_port,
            last_state: State::Listen,
            told_unread: 0,
            arrived_ns: 0,
            output_queued: false,
            routed: self.routes.generation(),
            bound,
            soft_error: None,
            armed: None,
            limits: Limits::new(options, &self.settings),
            clock: Clock::new(self.now_ns),
        }))
    }

    /// Puts a connection into the tables.
    pub(crate) fn add_connection(&mut self, connection: Connection) -> Key {
        let (flow, sharing) = (connection.flow, connection.sharing);
        let key = self.connections.insert(Box::new(connection));
        self.flows.insert(flow, FlowEntry::Connection(key));
        self.tcp_ports.hold(flow.local.port, flow.local.ip, sharing);
        key
    }

    /// RST for a segment that belongs to nothing (RFC 9293, section 3.10.7.1).
    pub(crate) fn refuse(&mut self, from: LinkId, segment: &Segment<'_>) {
        if segment.rst {
            return;
        }
        let (seq, ack) = match segment.ack {
            Some(ack) => (ack, None),
            None => (0, Some(segment.seq.wrapping_add(segment.len()))),
        };
        let link = addr::confined(segment.flow.remote.ip).then_some(from);
        let hints = Hints { source: Some(segment.flow.local.ip), ..Hints::link(link) };
        let Ok(link) = self.way(segment.flow.remote.ip, hints).map(|way| way.link) else { return };
        self.send_bare(
            link,
            BareSegment { flow: segment.flow, rst: true, seq, ack, window: 0, stamp: None, ece: false },
        );
    }

    /// Sends a segment that no engine makes.
    pub(crate) fn send_bare(&mut self, link: LinkId, segment: BareSegment) {
        let frame = segment.emit(&mut self.frames, &self.links.carrier(link).checksums());
        self.counters.tcp_out_segs += 1;
        self.counters.tcp_out_rsts += u64::from(segment.rst);
        self.transmit(link, frame);
    }
}
