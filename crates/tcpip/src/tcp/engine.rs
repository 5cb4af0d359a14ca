//! The TCP engine of one connection: the only file that knows whose it is.
//!
//! It is smoltcp's socket, alone in a socket set behind an interface of its own, so that a packet costs the same
//! whatever else is open. Another engine has to offer these functions: segments and calls in, segments and a state
//! out, with no socket semantics.

use std::fmt;

use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::tcp,
    time::{Duration, Instant},
    wire::{HardwareAddress, IpAddress, IpCidr, IpEndpoint, IpListenEndpoint, TcpPacket, TcpSeqNumber},
};

use crate::{
    addr::{Endpoint, Flow},
    frame::{Carrier, Frames, Port},
    option::{Options, TCP_RCVBUF, TCP_SNDBUF},
    packet::{IpPacket, Segment, seq_after},
};

pub(crate) use smoltcp::socket::tcp::State;

/// How a connection is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) carrier: Carrier,
    /// Receive buffer in bytes. Memory is touched as it fills.
    pub(crate) rx: usize,
    /// Send buffer in bytes.
    pub(crate) tx: usize,
    /// Makes the initial sequence number.
    pub(crate) seed: u64,
}

/// One connection.
pub(crate) struct Engine {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    carrier: Carrier,
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
    /// `MSS` option of the peer.
    pub(crate) peer_mss: u16,
    /// A segment was sent.
    started: bool,
    pub(crate) segs_in: u32,
    pub(crate) segs_out: u32,
    pub(crate) retrans: u32,
}

/// What a connection's buffers hold when the program has not said: enough for 1 GB/s and more on `lo` with a
/// wake-up of the other side per window; virtual memory until touched.
const AUTOTUNED: usize = 256 * 1024;
/// On other links: 100 Mbit/s over 80 ms.
const AUTOTUNED_FAR: usize = 1024 * 1024;

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
            rx: size(options.rcvbuf, TCP_RCVBUF),
            tx: size(options.sndbuf, TCP_SNDBUF),
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
        let mut engine = Self::new(setup, flow.local, now_ns);
        let (remote, local) = (ip_endpoint(flow.remote), ip_endpoint(flow.local));
        let socket = engine.sockets.get_mut::<tcp::Socket<'_>>(engine.handle);
        socket.connect(engine.interface.context(), remote, local).ok()?;
        Some(engine)
    }

    /// An engine that waits for the SYN to come next.
    pub(crate) fn listen(setup: &Setup, local: Endpoint, now_ns: u64) -> Option<Self> {
        let mut engine = Self::new(setup, local, now_ns);
        engine.socket_mut().listen(IpListenEndpoint::from(ip_endpoint(local))).ok()?;
        Some(engine)
    }

    fn new(setup: &Setup, local: Endpoint, now_ns: u64) -> Self {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = setup.seed;
        let mut port = Port { carrier: setup.carrier, rx: None, tx: &mut Frames::default() };
        let mut interface = Interface::new(config, &mut port, instant(now_ns));
        let ip = IpAddress::from(local.ip);
        let host_prefix = if local.ip.is_ipv4() { 32 } else { 128 };
        interface.update_ip_addrs(|addrs| {
            // Cannot be full: it has room for two and this is the first.
            let _ = addrs.push(IpCidr::new(ip, host_prefix));
        });
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(vec![0; setup.rx]),
            tcp::SocketBuffer::new(vec![0; setup.tx]),
        );
        // Nothing is lost or delayed on lo: holding bytes back there only waits for the peer's delayed ACK.
        if setup.carrier.loopback {
            socket.set_congestion_control(tcp::CongestionControl::None);
            socket.set_nagle_enabled(false);
        } else {
            socket.set_congestion_control(tcp::CongestionControl::Cubic);
        }
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Self { interface, sockets, handle, carrier: setup.carrier, ledger: Ledger::default() }
    }

    /// Takes a segment of this connection, already verified. What it answers at once goes to `frames`.
    pub(crate) fn ingress(&mut self, now_ns: u64, segment: &Segment<'_>, frames: &mut Frames) {
        self.ledger.segs_in = self.ledger.segs_in.wrapping_add(1);
        if segment.syn {
            self.ledger.irs = segment.seq;
            self.ledger.peer_mss = segment.max_segment_size();
        } else if self.overruns(segment) {
            return;
        }
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
        let before = frames.made.len();
        let mut port = Port { carrier: self.carrier, rx: None, tx: frames };
        self.interface.poll_egress(instant(now_ns), &mut port, &mut self.sockets);
        frames.made.len() > before
    }

    /// Puts right the sequence number of an acknowledgement without data, which is `SND.NXT` (RFC 9293, section
    /// 3.10.7.4). smoltcp turns its `SND.NXT` back when it retransmits: two ends that both do would reject each
    /// other's acknowledgements as old for ever.
    pub(crate) fn amend(&self, packet: &mut [u8]) {
        let Some(ip) = IpPacket::parse(packet, false) else { return };
        let (src, dst, header_len) = (ip.src, ip.dst, ip.bytes.len() - ip.payload.len());
        let Some(segment) = Segment::parse(&ip, false) else { return };
        let old = self.ledger.started && seq_after(self.ledger.snd_nxt, segment.seq);
        if !old || segment.len() > 0 || segment.rst {
            return;
        }
        let mut tcp = TcpPacket::new_unchecked(&mut packet[header_len..]);
        tcp.set_seq_number(TcpSeqNumber(self.ledger.snd_nxt.cast_signed()));
        if !self.carrier.loopback {
            tcp.fill_checksum(&src.into(), &dst.into());
        }
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
    pub(crate) fn send(&mut self, data: &[u8]) -> usize {
        self.socket_mut().send_slice(data).unwrap_or(0)
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
        self.socket_mut().close();
    }

    /// Sends a RST and is closed.
    pub(crate) fn abort(&mut self) {
        self.socket_mut().abort();
    }

    /// `TCP_NODELAY`.
    pub(crate) fn set_nodelay(&mut self, nodelay: bool) {
        let held_back = !nodelay && !self.carrier.loopback;
        self.socket_mut().set_nagle_enabled(held_back);
    }

    /// TTL or hop limit, 1 to 255.
    pub(crate) fn set_ttl(&mut self, ttl: u8) {
        self.socket_mut().set_hop_limit(Some(ttl.max(1)));
    }

    pub(crate) fn state(&self) -> State {
        self.socket().state()
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
        self.socket().send_queue()
    }

    pub(crate) fn send_capacity(&self) -> usize {
        self.socket().send_capacity()
    }

    pub(crate) fn recv_capacity(&self) -> usize {
        self.socket().recv_capacity()
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

fn ip_endpoint(end: Endpoint) -> IpEndpoint {
    IpEndpoint::new(IpAddress::from(end.ip), end.port)
}

fn instant(now_ns: u64) -> Instant {
    Instant::ZERO + Duration::from_micros(now_ns / 1000)
}
