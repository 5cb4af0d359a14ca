//! The TCP engine of one connection: the only folder that knows whose it is.
//!
//! * `setup` how one is made;
//! * `round_trip` how long it takes to hear of what was sent;
//! * `ecn` marks of congestion;
//! * `passing` what is read off the segments that pass, and put right in them;
//! * `check` segments that a stranger may have sent;
//! * `recovery` lost segments are found out and sent again;
//! * `queue` bytes on their way into the send buffer;
//! * `urgent` what `MSG_OOB` sends and receives;
//! * `timeout` how long an acknowledgement is waited for;
//! * `timestamps` when segments were sent, and which are old;
//! * `resize` other buffers for a connection that goes on.
//!
//! It is smoltcp's socket, alone in a socket set behind an interface of its own, so that a packet costs the same
//! whatever else is open. Another engine has to offer these functions: segments and calls in, segments and a state
//! out, with no socket semantics.

use std::{collections::VecDeque, fmt};

use smoltcp::{
    iface::{Interface, SocketHandle, SocketSet},
    socket::tcp,
    time::{Duration, Instant},
    wire::{IpAddress, IpEndpoint},
};

use crate::{
    addr::{Endpoint, Flow},
    frame::{Carrier, Frames, Port},
    option::Options,
    packet::{self, Segment, SynOptions, seq_after},
};

mod check;
mod ecn;
mod passing;
mod queue;
mod recovery;
mod resize;
mod round_trip;
mod setup;
mod timeout;
mod timestamps;
mod urgent;

pub(crate) use check::Check;
pub(crate) use ecn::Allowed;
use ecn::Ecn;
use passing::Ledger;
pub(crate) use passing::SCALE;
use recovery::{Recovery, Verdict};
use resize::Burst;
pub(crate) use setup::Setup;
use setup::{Build, SMALL, Sizes, build};
use timeout::Timeout;
pub(crate) use timestamps::Timestamps;
pub(crate) use urgent::OutOfBand;
use urgent::Urgent;

pub(crate) use smoltcp::socket::tcp::State;

/// The port that smoltcp, which connects to no port 0, knows instead of that. It is put right in what passes.
const STAND_IN: u16 = 1;

/// One connection.
pub(crate) struct Engine {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    carrier: Carrier,
    ceiling: usize,
    flow: Flow,
    most: Sizes,
    nodelay: bool,
    ttl: u8,
    /// What the peer's SYN said.
    peer: SynOptions,
    /// Bytes that the peer last said it had room for.
    peer_window: usize,
    burst: Burst,
    /// Bytes to send for which the engine's buffer has no room yet.
    overflow: VecDeque<u8>,
    /// A FIN is to follow them.
    finishing: bool,
    ledger: Ledger,
    recovery: Recovery,
    /// Up to where bytes have come before others that are missing. What was said of them (RFC 2018) is not taken back.
    ahead: u32,
    urgent: Urgent,
    timestamps: Timestamps,
    timeout: Timeout,
    ecn: Ecn,
}

/// What a segment that came in brought besides bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct News {
    /// Urgent data was announced (SIGURG).
    pub(crate) urgent: bool,
    /// The urgent byte has come (`POLLPRI`).
    pub(crate) urgent_there: bool,
    /// It was an old duplicate, or beyond the window: the peer is told where we are, and that is all.
    pub(crate) refused: bool,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("state", &self.state())
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that will send a SYN.
    pub(crate) fn connect(setup: &Setup, flow: Flow, now_ns: u64) -> Option<Self> {
        let mut engine = Self::new(setup, flow, now_ns);
        let remote = Endpoint { port: flow.remote.port.max(STAND_IN), ..flow.remote };
        let (remote, local) = (ip_endpoint(remote), ip_endpoint(flow.local));
        let socket = engine.sockets.get_mut::<tcp::Socket<'_>>(engine.handle);
        socket.connect(engine.interface.context(), remote, local).ok()?;
        Some(engine)
    }

    /// An engine that waits for the SYN to come next.
    pub(crate) fn listen(setup: &Setup, flow: Flow, now_ns: u64) -> Option<Self> {
        let mut engine = Self::new(setup, flow, now_ns);
        engine.socket_mut().listen(ip_endpoint(flow.local)).ok()?;
        Some(engine)
    }

    fn new(setup: &Setup, flow: Flow, now_ns: u64) -> Self {
        let sizes = Sizes { rx: setup.most.rx.min(SMALL), tx: setup.most.tx.min(SMALL) };
        let Build { interface, sockets, handle } =
            build(setup.carrier, sizes, setup.seed, flow.local, (now_ns, setup.timestamps));
        Self {
            interface,
            sockets,
            handle,
            carrier: setup.carrier,
            ceiling: setup.ceiling,
            flow,
            most: setup.most,
            nodelay: false,
            ttl: 64,
            peer: SynOptions::default(),
            peer_window: 0,
            burst: Burst::default(),
            overflow: VecDeque::new(),
            finishing: false,
            ledger: Ledger::default(),
            recovery: Recovery::default(),
            ahead: 0,
            urgent: Urgent::default(),
            timestamps: Timestamps::new(setup.timestamps, setup.clock),
            timeout: Timeout::default(),
            ecn: Ecn::new(setup.ecn),
        }
    }

    /// Takes a segment of this connection, already verified. What it answers at once goes to `frames`.
    pub(crate) fn ingress(&mut self, now_ns: u64, segment: &Segment<'_>, frames: &mut Frames) -> News {
        self.ledger.segs_in = self.ledger.segs_in.wrapping_add(1);
        let ported = (self.flow.remote.port == 0).then(|| segment.with_port(STAND_IN));
        let segment = &ported.as_deref().map_or(*segment, |bytes| segment.in_packet(bytes));
        if segment.syn && !self.ledger.synchronized {
            self.ledger.irs = segment.seq;
            self.ledger.synchronized = true;
            self.peer = segment.syn_options();
            self.timestamps.begin(now_ns, segment);
            self.ecn.begin(segment);
        } else if !self.timestamps.note(now_ns, segment, self.ledger.rcv_nxt) || self.overruns(segment) {
            return News { refused: true, ..News::default() };
        }
        if self.recovery.round_trip().smoothed_ns() == 0 && segment.ack.is_some() {
            // Of the handshake: what is sent first has a time-out of its own, too.
            self.timestamps
                .round_trip_ns(now_ns, segment)
                .into_iter()
                .for_each(|ns| self.recovery.measured(now_ns, ns));
        }
        let urgent = self.note_urgent(segment);
        let scale = if segment.syn { 0 } else { self.peer.scale.unwrap_or(0) };
        self.peer_window = usize::from(segment.window) << scale;
        self.ledger.max_window = self.ledger.max_window.max(u32::from(segment.window) << scale);
        self.burst.note(now_ns, segment.data_len);
        if !self.carrier.loopback && segment.data_len > 0 && seq_after(segment.seq, self.rcv_nxt()) {
            self.ahead = segment.seq.wrapping_add(segment.len());
        }
        let delay = self.socket().ack_delay();
        if segment.data_len > self.max_segment_size(self.flow) || segment.is_marked() {
            // Several segments that nobody has cut are acknowledged at once (RFC 5681, section 4.2), and so is a mark.
            self.socket_mut().set_ack_delay(None);
        }
        let raised = segment.with_least_mss();
        let segment = &raised.as_deref().map_or(*segment, |bytes| segment.in_packet(bytes));
        let verdict = self.note_acknowledgement(now_ns, segment);
        let verdict = self.note_ecn(segment, verdict);
        match verdict {
            Verdict::Feed(_) if self.is_overtaken(segment) => {
                self.feed(now_ns, &segment.with_ack(self.snd_una(), segment.window), frames);
            }
            Verdict::Feed(1) => self.feed_in_steps(now_ns, segment, frames),
            Verdict::Feed(times) => (0..times).for_each(|_| self.feed(now_ns, segment.bytes, frames)),
            Verdict::Repeat(ack, window) => self.feed(now_ns, &segment.with_ack(ack, window), frames),
            Verdict::Swallow => {}
        }
        self.socket_mut().set_ack_delay(delay);
        News { urgent, urgent_there: self.fetch_urgent(), refused: false }
    }

    fn feed(&mut self, now_ns: u64, packet: &[u8], frames: &mut Frames) {
        let mut port = Port { carrier: self.carrier, rx: Some(packet), tx: frames };
        let clock = self.clock(now_ns);
        self.interface.poll_ingress_single(clock, &mut port, &mut self.sockets);
    }

    /// Makes the next segment that is due, if any.
    pub(crate) fn egress(&mut self, now_ns: u64, frames: &mut Frames) -> bool {
        self.refill(now_ns);
        self.expire(now_ns);
        loop {
            if self.dispatch(now_ns, frames) {
                return true;
            }
            if !self.bring_forward(now_ns) {
                return false;
            }
        }
    }

    /// When [`Engine::egress`] will have something to do.
    pub(crate) fn deadline(&mut self, now_ns: u64) -> Option<u64> {
        let smoltcp = self.smoltcp_deadline(now_ns);
        [self.recovery.deadline(), self.timeout.deadline(), smoltcp].into_iter().flatten().min()
    }

    /// Takes received bytes out, or copies them: those before an urgent byte, or, without it, those behind it.
    pub(crate) fn recv(&mut self, buf: &mut [u8], peek: bool) -> usize {
        let skipped = self.out_of_band();
        if peek && skipped > 0 {
            let mut whole = vec![0; buf.len().min(self.recv_queue()) + skipped];
            let found = self.socket_mut().peek_slice(&mut whole).unwrap_or(0).saturating_sub(skipped);
            let found = found.min(buf.len());
            buf[..found].copy_from_slice(&whole[skipped..skipped + found]);
            return found;
        }
        if skipped > 0 {
            self.take(&mut [0]);
        }
        let len = buf.len().min(self.until_mark());
        let buf = &mut buf[..len];
        if peek { self.socket_mut().peek_slice(buf).unwrap_or(0) } else { self.take(buf) }
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let n = self.socket_mut().recv_slice(buf).unwrap_or(0);
        self.ledger.read = self.ledger.read.wrapping_add(u32::try_from(n).unwrap_or(u32::MAX));
        self.forget_passed();
        n
    }

    /// Sends a RST and is closed.
    pub(crate) fn abort(&mut self) {
        self.socket_mut().abort();
    }

    /// What a socket's options say of it.
    pub(crate) fn set_options(&mut self, options: &Options) {
        self.set_nodelay(options.nodelay);
        self.set_ttl(options.ttl);
        self.set_oob_inline(options.oob_inline);
    }

    /// `TCP_NODELAY`.
    fn set_nodelay(&mut self, nodelay: bool) {
        self.nodelay = nodelay;
        let held_back = !nodelay && !self.carrier.loopback;
        self.socket_mut().set_nagle_enabled(held_back);
    }

    /// TTL or hop limit, 1 to 255.
    fn set_ttl(&mut self, ttl: u8) {
        self.ttl = ttl.max(1);
        let ttl = self.ttl;
        self.socket_mut().set_hop_limit(Some(ttl));
    }

    pub(crate) fn state(&self) -> State {
        match self.socket().state() {
            State::Established if self.finishing => State::FinWait1,
            State::CloseWait if self.finishing => State::LastAck,
            state => state,
        }
    }

    /// Whether the peer's FIN has been taken in, as far as the state still shows it.
    pub(crate) fn fin_received(&self) -> bool {
        matches!(self.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait)
    }

    /// Bytes received in order and not yet read.
    pub(crate) fn recv_queue(&self) -> usize {
        self.socket().recv_queue()
    }

    /// Bytes not yet acknowledged.
    pub(crate) fn send_queue(&self) -> usize {
        self.socket().send_queue() + self.overflow.len()
    }

    /// Bytes that did not go out yet.
    pub(crate) fn not_sent(&self) -> usize {
        let end = self.ledger.data_begin.wrapping_add(self.ledger.written);
        let sent = self.ledger.snd_nxt;
        if self.ledger.started && seq_after(end, sent) { end.wrapping_sub(sent) as usize } else { 0 }
    }

    /// How many bytes may wait to be sent.
    pub(crate) fn send_capacity(&self) -> usize {
        self.most.tx
    }

    pub(crate) fn recv_capacity(&self) -> usize {
        self.socket().recv_capacity()
    }

    /// The path is another one from now on, or carries packets of another size.
    pub(crate) fn set_carrier(&mut self, now_ns: u64, carrier: Carrier) {
        let carrier = Carrier { mtu: carrier.mtu.min(self.ceiling), ..carrier };
        if self.carrier == carrier || self.carrier.loopback || carrier.loopback {
            return;
        }
        self.carrier = carrier;
        self.interface = setup::interface(self.carrier, 0, self.flow.local, now_ns);
    }

    /// What the peer's SYN said.
    pub(crate) fn peer(&self) -> SynOptions {
        self.peer
    }

    /// The most bytes of a segment that the peer takes.
    pub(crate) fn peer_mss(&self) -> u32 {
        u32::from(self.peer.mss).saturating_sub(if self.is_stamped() { packet::STAMP_LEN as u32 } else { 0 })
    }

    /// Whether segments have timestamps.
    pub(crate) fn is_stamped(&self) -> bool {
        self.timestamps.agreed()
    }

    /// The smoothed round trip and its mean deviation; 0: not measured.
    pub(crate) fn round_trip_ns(&self) -> (u64, u64) {
        let round_trip = self.recovery.round_trip();
        (round_trip.smoothed_ns(), round_trip.deviation_ns())
    }

    /// The largest segment that fits the link.
    pub(crate) fn max_segment_size(&self, flow: Flow) -> usize {
        let headers = if flow.local.ip.is_ipv4() { 40 } else { 60 };
        let headers = headers + if self.is_stamped() { packet::STAMP_LEN } else { 0 };
        self.carrier.mtu.saturating_sub(headers)
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn socket(&self) -> &tcp::Socket<'static> {
        self.sockets.get(self.handle)
    }

    fn socket_mut(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }
}

fn ip_endpoint(end: Endpoint) -> IpEndpoint {
    IpEndpoint::new(IpAddress::from(end.ip), end.port)
}

fn instant(now_ns: u64) -> Instant {
    Instant::ZERO + Duration::from_micros(now_ns / 1000)
}
