//! What follows when an engine's state has changed or a deadline has come.

use std::net::IpAddr;

use abi::Errno;

use crate::{
    Offload, Stack,
    addr::Flow,
    frame::Frame,
    packet::{self, BareSegment, IpPacket, Segment},
    route::Hints,
    slab::Key,
    socket::Socket,
    tcp::{
        connection::{Alarm, Owner},
        engine::State,
        time_wait::{FlowEntry, TimeWait},
    },
    types::{LinkId, SocketId},
};

impl Stack {
    /// Sees to it that a connection is asked for segments, and then looked at.
    pub(crate) fn queue_output(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key)
            && !connection.output_queued
        {
            connection.output_queued = true;
            self.output_queue.push_back(key);
        }
    }

    /// Does all that can be done without time passing: delivers what is on `lo` and lets connections send. One segment
    /// is delivered before the next is made, so that few are in memory at a time, and in the cache.
    pub(crate) fn pump(&mut self) {
        loop {
            if let Some(frame) = self.lo.pop_front() {
                if let Some(lo) = self.links.get_mut(LinkId::LO) {
                    lo.counters.rx_packets += 1;
                    lo.counters.rx_bytes += frame.bytes().len() as u64;
                }
                self.show_frame(LinkId::LO, frame.bytes(), Offload::NONE, false);
                self.ip_input(LinkId::LO, frame.bytes(), frame.offload);
                self.frames.give_back(frame);
            } else if let Some((link, packet)) = self.looped.pop_front() {
                self.ip_input(link, &packet, Offload::NONE);
            } else if let Some(&key) = self.output_queue.front() {
                if !self.connection_output(key) {
                    self.output_queue.pop_front();
                    self.settle(key);
                    self.hurry_peer(key);
                }
            } else {
                return;
            }
        }
    }

    fn connection_output(&mut self, key: Key) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let made = !connection.over && connection.engine.egress(self.now_ns, &mut self.frames);
        if made {
            self.send_made(key);
        }
        made || self.resend(key)
    }

    /// Sends a lost segment again.
    fn resend(&mut self, key: Key) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        if connection.over {
            return false;
        }
        let Some(frame) = connection.engine.resend(self.now_ns, &mut self.frames) else { return false };
        let link = connection.link;
        self.counters.tcp_out_segs += 1;
        self.counters.tcp_retrans_segs += 1;
        self.transmit(link, frame);
        true
    }

    /// On `lo` an acknowledgement that is waited for need not wait for the timer of delayed ones.
    fn hurry_peer(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else { return };
        if connection.link != LinkId::LO || !connection.engine.is_held_up() || connection.over {
            return;
        }
        let Flow { local, remote } = connection.flow;
        if let Some(&FlowEntry::Connection(peer)) = self.flows.get(&Flow { local: remote, remote: local })
            && let Some(peer) = self.connections.get_mut(peer)
            && peer.engine.owes_acknowledgement()
        {
            let acknowledgement = peer.engine.announcement(self.now_ns);
            self.send_bare(LinkId::LO, acknowledgement);
        }
    }

    /// Sends what an engine has made.
    pub(crate) fn send_made(&mut self, key: Key) {
        self.reroute(key);
        let Some(connection) = self.connections.get_mut(key) else { return };
        let (link, tos) = (connection.link, connection.limits.tos);
        self.mark = connection.limits.mark;
        while let Some(mut frame) = self.frames.made.pop_front() {
            if let Some(connection) = self.connections.get(key) {
                let codepoint = connection.engine.amend(self.now_ns, &mut frame);
                if tos | codepoint != 0 {
                    let checksums = self.links.carrier(link).checksums();
                    packet::set_tos(frame.bytes_mut(), tos | codepoint, &checksums);
                }
            }
            if let Some(segment) =
                IpPacket::parse(frame.bytes(), false).and_then(|ip| Segment::parse(&ip, false))
                && let Some(connection) = self.connections.get_mut(key)
            {
                if connection.engine.is_needless(&segment) {
                    self.frames.give_back(frame);
                    continue;
                }
                let sent = u64::from(frame.offload.segments(segment.data_len));
                let again = connection.engine.sent(self.now_ns, &segment, frame.offload);
                self.counters.tcp_out_segs += sent;
                self.counters.tcp_retrans_segs += if again { sent } else { 0 };
                self.counters.tcp_out_rsts += u64::from(segment.rst);
            }
            self.put_port(key, &mut frame);
            self.transmit(link, frame);
        }
        self.mark = 0;
    }

    /// Puts port 0 where smoltcp has another.
    fn put_port(&self, key: Key, frame: &mut Frame) {
        let Some(connection) = self.connections.get(key).filter(|c| c.flow.remote.port == 0) else { return };
        let unsummed = frame.offload.unsummed || connection.link == LinkId::LO;
        packet::set_destination_port(frame.bytes_mut(), 0, !unsummed);
    }

    /// Looks for the way again if links, addresses or routes have changed. On `lo` nothing else is possible: its segments have no
    /// checksums.
    pub(crate) fn reroute(&mut self, key: Key) {
        let generation = self.routes.generation();
        let Some(connection) = self.connections.get(key) else { return };
        if connection.routed == generation || connection.link == LinkId::LO {
            return;
        }
        let (source, mark) = (Some(connection.flow.local.ip), connection.limits.mark);
        let hints = Hints { link: connection.bound, source, mark, from_link: None };
        let found = self.way(connection.flow.remote.ip, hints);
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.routed = generation;
        match found {
            Ok(way) if way.link != LinkId::LO => {
                connection.link = way.link;
                let ip = connection.flow.remote.ip;
                let carrier = self.carrier_to(ip, &way);
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.engine.set_carrier(self.now_ns, carrier);
                }
            }
            Ok(_) => {}
            Err(errno) => connection.soft_error = Some(errno),
        }
    }

    /// The path to `dst` carries less: what is in flight may have to be sent again.
    pub(crate) fn resend_shorter(&mut self, dst: IpAddr) {
        let to = |entry: (&Flow, &FlowEntry)| match entry {
            (flow, FlowEntry::Connection(key)) if flow.remote.ip == dst => Some(*key),
            _ => None,
        };
        let mut keys: Vec<_> = self.flows.iter().filter_map(to).collect();
        keys.sort_unstable();
        for key in keys {
            self.reroute(key);
            self.queue_output(key);
        }
    }

    /// Looks at a connection that has nothing more to send for now.
    fn settle(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.output_queued = false;
        if !connection.over {
            if let Some(announcement) = connection.engine.grow_receive(self.now_ns) {
                let link = connection.link;
                self.send_bare(link, announcement);
            }
            let Some(connection) = self.connections.get_mut(key) else { return };
            connection.fin_received |= connection.engine.fin_received();
            connection.note_owing(self.now_ns);
            let state = connection.engine.state();
            let before = std::mem::replace(&mut connection.last_state, state);
            self.change_state(key, before, state);
        }
        self.rearm(key);
        self.note_connection(key);
    }

    fn change_state(&mut self, key: Key, before: State, state: State) {
        let Some(connection) = self.connections.get(key) else { return };
        match (connection.owner, state) {
            (_, State::Closed) => self.closed_by_engine(key, before),
            // smoltcp goes back to LISTEN when a RST ends a passive handshake.
            (_, State::Listen) => self.end(key, None),
            (_, State::TimeWait) => self.wait_out(key),
            (Owner::HalfOpen(_), State::SynReceived) => {}
            (Owner::HalfOpen(_), _) if connection.is_deferred(self.now_ns) => {}
            (Owner::HalfOpen(_), _) => self.enqueue_accepted(key),
            (Owner::Orphan, State::FinWait1 | State::FinWait2) if connection.engine.recv_queue() > 0 => {
                // Nobody will read it (RFC 2525, section 2.17; Linux: TCPAbortOnData).
                self.abort(key);
            }
            _ => {}
        }
    }

    fn closed_by_engine(&mut self, key: Key, before: State) {
        let Some(connection) = self.connections.get(key) else { return };
        let error = match before {
            _ if !connection.reset => None,
            State::SynSent => Some(Errno::ECONNREFUSED),
            State::CloseWait => Some(Errno::EPIPE),
            _ => Some(Errno::ECONNRESET),
        };
        match before {
            State::SynSent | State::SynReceived => self.counters.tcp_attempt_fails += 1,
            State::Established | State::CloseWait => self.counters.tcp_estab_resets += 1,
            _ => {}
        }
        self.end(key, error);
    }

    /// The handshake of a passive open is over.
    fn enqueue_accepted(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Owner::HalfOpen(id) = connection.owner else { return };
        connection.owner = Owner::Queued(id);
        if let Some(listener) = self.sockets.get_mut(id.0).and_then(Socket::listener_mut) {
            listener.half_open.remove(&key);
            listener.queue.push_back(key);
            self.note_arrival(id);
        }
    }

    /// TIME-WAIT needs neither buffers nor an engine.
    fn wait_out(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.over = true;
        let owner = connection.owner;
        let orphan = owner == Owner::Orphan;
        let (flow, wait) = (connection.flow, TimeWait::of(connection, self.now_ns));
        if !self.begin_time_wait(flow, wait) {
            self.forget_flow(key);
        }
        if let Owner::Socket(id) = owner {
            self.release_port(id, flow.local.port);
        }
        if orphan {
            self.connections.remove(key);
        }
    }

    /// The end of a connection other than by TIME-WAIT. `error`: what the program is told.
    pub(crate) fn end(&mut self, key: Key, error: Option<Errno>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.over = true;
        let (owner, port) = (connection.owner, connection.flow.local.port);
        self.forget_flow(key);
        match owner {
            Owner::HalfOpen(id) => {
                if let Some(listener) = self.sockets.get_mut(id.0).and_then(Socket::listener_mut) {
                    listener.half_open.remove(&key);
                }
                self.connections.remove(key);
            }
            Owner::Orphan => {
                self.connections.remove(key);
            }
            // accept(2) will find it, and the error behind it.
            Owner::Queued(_) => {}
            Owner::Socket(id) => {
                if let Some(socket) = self.sockets.get_mut(id.0) {
                    socket.error = error.or(socket.error);
                }
                self.release_port(id, port);
                self.note(id);
            }
        }
    }

    /// A socket whose connection is over has its port no longer, unless bind(2) has named it (net/ipv4/tcp.c, tcp_set_state).
    fn release_port(&mut self, id: SocketId, port: u16) {
        if let Some(socket) = self.sockets.get_mut(id.0) {
            socket.last_port = port;
            // It is there.
            let _ = self.give_port_back(id);
        }
    }

    fn forget_flow(&mut self, key: Key) {
        if let Some(connection) = self.connections.get(key) {
            let flow = connection.flow;
            self.flows.remove(&flow);
            self.tcp_ports.release(flow.local.port, flow.local.ip, connection.sharing);
        }
    }

    /// Sends a RST; the connection ends when it has gone out.
    pub(crate) fn abort(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.engine.abort();
            self.queue_output(key);
        }
    }

    /// Puts a connection's next deadline into the timers.
    fn rearm(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.over {
            return;
        }
        let alarm = connection.alarm().map(|(at_ns, _)| at_ns);
        // The engine has just had its turn: if it still wants one at once, a millisecond later is soon enough.
        let engine = connection
            .engine
            .deadline(self.now_ns)
            .map(|at_ns| if at_ns <= self.now_ns { self.now_ns + 1_000_000 } else { at_ns });
        if let Some(at_ns) = [alarm, engine].into_iter().flatten().min() {
            self.timers.arm(key, at_ns, &mut connection.armed);
        }
    }

    /// Serves a connection whose entry in the timers has come up.
    pub(crate) fn fire(&mut self, at_ns: u64, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.armed == Some(at_ns) {
            connection.armed = None;
        }
        if connection.over {
            return;
        }
        match connection.alarm() {
            Some((due_ns, Alarm::GiveUp)) if due_ns <= self.now_ns => return self.give_up(key),
            Some((due_ns, Alarm::Accept)) if due_ns <= self.now_ns => self.enqueue_accepted(key),
            Some((due_ns, Alarm::Probe)) if due_ns <= self.now_ns => self.probe(key),
            Some((due_ns, Alarm::Shrink)) if due_ns <= self.now_ns => self.shrink(key),
            _ => {}
        }
        self.queue_output(key);
    }

    /// The peer has not answered for too long.
    fn give_up(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else { return };
        let error = connection.soft_error.unwrap_or(Errno::ETIMEDOUT);
        if connection.is_opening() {
            self.counters.tcp_attempt_fails += 1;
        } else {
            let ledger = connection.engine.ledger();
            let (seq, ack) = (ledger.snd_nxt, Some(ledger.rcv_nxt));
            let rst = BareSegment {
                flow: connection.flow,
                rst: true,
                seq,
                ack,
                window: 0,
                stamp: None,
                ece: false,
            };
            self.send_bare(connection.link, rst);
        }
        self.end(key, Some(error));
    }

    fn shrink(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.clock.shrunk_ns = self.now_ns;
        if let Some(announcement) = connection.engine.shrink(self.now_ns) {
            let link = connection.link;
            self.send_bare(link, announcement);
        }
    }

    /// RFC 9293, section 3.8.4: a segment from before what the peer expects, which it answers.
    fn probe(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.clock.probes += 1;
        let ledger = connection.engine.ledger();
        let (seq, ack) = (ledger.snd_nxt.wrapping_sub(1), Some(ledger.rcv_nxt));
        let (window, stamp) = (ledger.window, connection.engine.stamp(self.now_ns));
        let probe = BareSegment { flow: connection.flow, rst: false, seq, ack, window, stamp, ece: false };
        let link = connection.link;
        self.send_bare(link, probe);
    }
}
