//! The TCP engine of one connection: the only file that knows whose it is.
//!
//! It is smoltcp's socket, alone in a socket set behind an interface of its own, so that a packet costs the same
//! whatever else is open. Another engine has to offer these functions: segments and calls in, segments and a state
//! out, with no socket semantics.

use std::{collections::VecDeque, fmt};

use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::tcp,
    time::{Duration, Instant},
    wire::{HardwareAddress, IpAddress, IpCidr, IpEndpoint, TcpPacket, TcpSeqNumber},
};

use crate::{
    addr::{Endpoint, Flow},
    frame::{Carrier, Frames, Port},
    option::{Options, TCP_RCVBUF, TCP_SNDBUF},
    packet::{self, IpPacket, Segment, SynOptions, seq_after},
};

mod resize;

use resize::{Burst, SMALL};

pub(crate) use smoltcp::socket::tcp::State;

/// How a connection is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) carrier: Carrier,
    /// The most its buffers may hold.
    most: Sizes,
    /// Makes the initial sequence number.
    seed: u64,
}

/// Sizes of the buffers in bytes.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    rx: usize,
    tx: usize,
}

/// One connection.
pub(crate) struct Engine {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    carrier: Carrier,
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
}

/// What the engine's own interface does not tell, read off the segments that pass.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ledger {
    /// `SND.NXT`: the highest sequence number sent, plus one.
    pub(crate) snd_nxt: u32,
    /// `RCV.NXT` as last announced.
    pub(crate) rcv_nxt: u32,
    /// Window field as last announced.
    pub(crate) window: u16,
    /// The peer's initial sequence number.
    irs: u32,
    /// Bytes that the program took out.
    read: u32,
    /// The last segment sent was a SYN.
    syn_last: bool,
    /// The peer's SYN has come.
    pub(crate) synchronized: bool,
    /// A segment was sent.
    started: bool,
    pub(crate) segs_in: u32,
    pub(crate) segs_out: u32,
    pub(crate) retrans: u32,
}

/// What a connection's buffers grow to when the program has not said: enough for 1 GB/s and more on `lo` with a
/// wake-up of the other side per window.
const AUTOTUNED: usize = 256 * 1024;
/// On other links: 100 Mbit/s over 80 ms.
const AUTOTUNED_FAR: usize = 1024 * 1024;
/// The window scale that we announce (RFC 7323), whatever the size of the buffer is at the time: up to 2 MiB.
const SCALE: u8 = 5;

impl Setup {
    /// The setup that a socket's options ask for.
    pub(crate) fn new(carrier: Carrier, options: &Options, seed: u64) -> Self {
        let autotuned = if carrier.loopback { AUTOTUNED } else { AUTOTUNED_FAR };
        // Half of what SO_RCVBUF shows is for Linux's bookkeeping (socket(7)).
        let size = |set: u32, default: u32| {
            let asked = usize::try_from(set / 2).unwrap_or(autotuned);
            if set == default { autotuned } else { asked }
        };
        let headers = 40;
        let mtu = match options.maxseg {
            0 => carrier.mtu,
            maxseg => carrier.mtu.min(usize::from(maxseg) + headers),
        };
        Self {
            carrier: Carrier { mtu, ..carrier },
            most: Sizes { rx: size(options.rcvbuf, TCP_RCVBUF), tx: size(options.sndbuf, TCP_SNDBUF) },
            seed,
        }
    }
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
        let (remote, local) = (ip_endpoint(flow.remote), ip_endpoint(flow.local));
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
            build(setup.carrier, sizes, setup.seed, flow.local, now_ns);
        Self {
            interface,
            sockets,
            handle,
            carrier: setup.carrier,
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
        }
    }

    /// Takes a segment of this connection, already verified. What it answers at once goes to `frames`.
    pub(crate) fn ingress(&mut self, now_ns: u64, segment: &Segment<'_>, frames: &mut Frames) {
        self.ledger.segs_in = self.ledger.segs_in.wrapping_add(1);
        if segment.syn && !self.ledger.synchronized {
            self.ledger.irs = segment.seq;
            self.ledger.synchronized = true;
            self.peer = segment.syn_options();
        } else if self.overruns(segment) {
            return;
        }
        let scale = if segment.syn { 0 } else { self.peer.scale.unwrap_or(0) };
        self.peer_window = usize::from(segment.window) << scale;
        self.burst.note(now_ns, segment.data_len);
        let mut port = Port { carrier: self.carrier, rx: Some(segment.bytes), tx: frames };
        self.interface.poll_ingress_single(instant(now_ns), &mut port, &mut self.sockets);
    }

    /// smoltcp scales the window of its own SYN, which RFC 7323 (section 2.2) sends unscaled: right behind a
    /// handshake it would take bytes for which it has no room, and panic when it counts them.
    fn overruns(&self, segment: &Segment<'_>) -> bool {
        let capacity = u32::try_from(self.socket().recv_capacity()).unwrap_or(u32::MAX);
        let right_edge =
            self.ledger.irs.wrapping_add(1).wrapping_add(self.ledger.read).wrapping_add(capacity);
        let end = segment.seq.wrapping_add(segment.len());
        self.ledger.syn_last && seq_after(end, right_edge)
    }

    /// Makes the next segment that is due, if any.
    pub(crate) fn egress(&mut self, now_ns: u64, frames: &mut Frames) -> bool {
        self.refill(now_ns);
        let before = frames.made.len();
        let mut port = Port { carrier: self.carrier, rx: None, tx: frames };
        self.interface.poll_egress(instant(now_ns), &mut port, &mut self.sockets);
        frames.made.len() > before
    }

    /// Puts right what smoltcp gets wrong or cannot know.
    ///
    /// An acknowledgement without data has the sequence number `SND.NXT` (RFC 9293, section 3.10.7.4). smoltcp
    /// turns its `SND.NXT` back when it retransmits: two ends that both do would reject each other's
    /// acknowledgements as old for ever. And the window is scaled as we announced it, not as the buffer of the
    /// moment suggests.
    pub(crate) fn amend(&self, packet: &mut [u8]) {
        let Some(ip) = IpPacket::parse(packet, false) else { return };
        let (src, dst, header_len) = (ip.src, ip.dst, ip.bytes.len() - ip.payload.len());
        let Some(segment) = Segment::parse(&ip, false) else { return };
        let (syn, rst, len, seq, window) =
            (segment.syn, segment.rst, segment.len(), segment.seq, usize::from(segment.window));
        let tcp = &mut packet[header_len..];
        if syn {
            packet::set_window_scale(tcp, SCALE);
        } else {
            let window = window << self.own_shift() >> self.announced_shift();
            let mut tcp = TcpPacket::new_unchecked(&mut *tcp);
            tcp.set_window_len(u16::try_from(window).unwrap_or(u16::MAX));
            if self.ledger.started && len == 0 && !rst && seq_after(self.ledger.snd_nxt, seq) {
                tcp.set_seq_number(TcpSeqNumber(self.ledger.snd_nxt.cast_signed()));
            }
        }
        if !self.carrier.loopback {
            TcpPacket::new_unchecked(tcp).fill_checksum(&src.into(), &dst.into());
        }
    }

    /// The shift of smoltcp's windows: it follows from the buffer's size.
    fn own_shift(&self) -> u32 {
        let bits = usize::BITS - self.socket().recv_capacity().leading_zeros();
        self.peer.scale.map_or(0, |_| bits.saturating_sub(16))
    }

    /// The shift that the peer applies: none unless both ends offered it.
    fn announced_shift(&self) -> u32 {
        self.peer.scale.map_or(0, |_| SCALE.into())
    }

    /// Notes a segment of ours that goes out; whether it is one that went out before.
    pub(crate) fn sent(&mut self, segment: &Segment<'_>) -> bool {
        let ledger = &mut self.ledger;
        let end = segment.seq.wrapping_add(segment.len());
        let again = ledger.started && segment.len() > 0 && !seq_after(end, ledger.snd_nxt);
        if !ledger.started || seq_after(end, ledger.snd_nxt) {
            ledger.snd_nxt = end;
        }
        if let Some(ack) = segment.ack {
            ledger.rcv_nxt = ack;
        }
        ledger.window = segment.window;
        ledger.started = true;
        ledger.syn_last = segment.syn;
        ledger.segs_out = ledger.segs_out.wrapping_add(1);
        ledger.retrans = ledger.retrans.wrapping_add(u32::from(again));
        again
    }

    /// When [`Engine::egress`] will have something to do.
    pub(crate) fn deadline(&mut self, now_ns: u64) -> Option<u64> {
        let at = self.interface.poll_at(instant(now_ns), &self.sockets)?;
        Some(u64::try_from(at.total_micros()).unwrap_or(0).saturating_mul(1000))
    }

    /// Queues bytes for sending; how many there was room for.
    pub(crate) fn send(&mut self, now_ns: u64, data: &[u8]) -> usize {
        let taken = data.len().min(self.most.tx.saturating_sub(self.send_queue()));
        let Some(data) = data.get(..taken) else { return 0 };
        // What waits here lets the engine's buffer run empty, so that it can be exchanged.
        let wait = !self.overflow.is_empty() || (self.is_resizable() && self.wants_receive_room());
        let direct = if wait { 0 } else { self.send_directly(now_ns, data) };
        self.overflow.extend(data.iter().skip(direct));
        taken
    }

    fn send_directly(&mut self, now_ns: u64, data: &[u8]) -> usize {
        if data.len() > self.socket().send_capacity() {
            self.grow(now_ns, data.len());
        }
        self.socket_mut().send_slice(data).unwrap_or(0)
    }

    /// Moves what waits into the engine's buffer: into a larger one as soon as the old one has run empty.
    fn refill(&mut self, now_ns: u64) {
        if !self.overflow.is_empty() {
            let small = self.socket().send_capacity() < self.most.tx || self.wants_receive_room();
            let empty = self.socket().send_queue() == 0;
            if empty {
                // A program that sends more than fits will go on so.
                self.grow(now_ns, self.overflow.len().saturating_mul(2));
            }
            if empty || !(small && self.is_resizable()) {
                self.move_overflow();
            }
        }
        if self.finishing && self.overflow.is_empty() {
            self.finishing = false;
            self.socket_mut().close();
        }
    }

    /// Whether bytes wait for an acknowledgement before they may be sent.
    pub(crate) fn is_held_up(&self) -> bool {
        !self.overflow.is_empty() && self.socket().send_queue() > 0
    }

    fn move_overflow(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
        let (front, back) = self.overflow.as_slices();
        let mut moved = socket.send_slice(front).unwrap_or(0);
        if moved == front.len() {
            moved += socket.send_slice(back).unwrap_or(0);
        }
        self.overflow.drain(..moved);
        if self.overflow.is_empty() {
            self.overflow = VecDeque::new();
        }
    }

    /// Takes received bytes out, or copies them.
    pub(crate) fn recv(&mut self, buf: &mut [u8], peek: bool) -> usize {
        if peek {
            return self.socket_mut().peek_slice(buf).unwrap_or(0);
        }
        let n = self.socket_mut().recv_slice(buf).unwrap_or(0);
        self.ledger.read = self.ledger.read.wrapping_add(u32::try_from(n).unwrap_or(u32::MAX));
        n
    }

    /// Sends a FIN behind what is queued.
    pub(crate) fn finish(&mut self) {
        if self.overflow.is_empty() {
            self.socket_mut().close();
        } else {
            self.finishing = true;
        }
    }

    /// Sends a RST and is closed.
    pub(crate) fn abort(&mut self) {
        self.socket_mut().abort();
    }

    /// `TCP_NODELAY`.
    pub(crate) fn set_nodelay(&mut self, nodelay: bool) {
        self.nodelay = nodelay;
        let held_back = !nodelay && !self.carrier.loopback;
        self.socket_mut().set_nagle_enabled(held_back);
    }

    /// TTL or hop limit, 1 to 255.
    pub(crate) fn set_ttl(&mut self, ttl: u8) {
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

    /// How many bytes may wait to be sent.
    pub(crate) fn send_capacity(&self) -> usize {
        self.most.tx
    }

    pub(crate) fn recv_capacity(&self) -> usize {
        self.socket().recv_capacity()
    }

    /// The largest segment that the peer takes.
    pub(crate) fn peer_mss(&self) -> u16 {
        self.peer.mss
    }

    /// The largest segment that fits the link.
    pub(crate) fn max_segment_size(&self, flow: Flow) -> usize {
        let headers = if flow.local.ip.is_ipv4() { 40 } else { 60 };
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

/// smoltcp's parts of an engine.
struct Build {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
}

fn build(carrier: Carrier, sizes: Sizes, seed: u64, local: Endpoint, now_ns: u64) -> Build {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut port = Port { carrier, rx: None, tx: &mut Frames::default() };
    let mut interface = Interface::new(config, &mut port, instant(now_ns));
    let ip = IpAddress::from(local.ip);
    let host_prefix = if local.ip.is_ipv4() { 32 } else { 128 };
    interface.update_ip_addrs(|addrs| {
        // Cannot be full: it has room for two and this is the first.
        let _ = addrs.push(IpCidr::new(ip, host_prefix));
    });
    let mut socket = tcp::Socket::new(
        tcp::SocketBuffer::new(vec![0; sizes.rx]),
        tcp::SocketBuffer::new(vec![0; sizes.tx]),
    );
    // Nothing is lost or delayed on lo: holding bytes back there only waits for the peer's delayed ACK.
    if carrier.loopback {
        socket.set_congestion_control(tcp::CongestionControl::None);
        socket.set_nagle_enabled(false);
    } else {
        socket.set_congestion_control(tcp::CongestionControl::Cubic);
    }
    let mut sockets = SocketSet::new(Vec::with_capacity(1));
    let handle = sockets.add(socket);
    Build { interface, sockets, handle }
}

fn ip_endpoint(end: Endpoint) -> IpEndpoint {
    IpEndpoint::new(IpAddress::from(end.ip), end.port)
}

fn instant(now_ns: u64) -> Instant {
    Instant::ZERO + Duration::from_micros(now_ns / 1000)
}
