//! Other buffers for a connection that goes on.
//!
//! smoltcp's buffers have one size for life. A kernel with 50,000 idle connections cannot give each what a fast one
//! needs (Linux grows and shrinks them too: `tcp_moderate_rcvbuf`, `tcp_wmem`). So a connection begins small, and
//! while nothing of ours is in flight its engine is replaced: a new one goes through a handshake with a peer made up
//! here, at the sequence numbers where the old one stands, and is handed what was not read.

use smoltcp::{
    iface::{Interface, SocketHandle, SocketSet},
    phy::ChecksumCapabilities,
    socket::tcp,
    wire::{IpAddress, IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber, TcpTimestampRepr},
};

use super::{Build, Engine, SMALL, Sizes, State, build, instant};
use crate::{
    frame::{Frame, Frames, Port},
    packet::{BareSegment, IpPacket, Segment, seq_after},
};

const STEP: usize = 16;
/// Bytes handed over in one made-up segment.
const CHUNK: usize = 16384;
/// How long bytes are counted to see whether the window is what limits the peer.
const BURST_NS: u64 = 500_000_000;

/// Bytes that came lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Burst {
    since_ns: u64,
    bytes: usize,
}

impl Burst {
    fn restart(&mut self, now_ns: u64) {
        *self = Self { since_ns: now_ns, bytes: 0 };
    }

    pub(super) fn note(&mut self, now_ns: u64, bytes: usize) {
        if now_ns.saturating_sub(self.since_ns) > BURST_NS {
            self.restart(now_ns);
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Engine {
    /// Gives a peer that fills the receive buffer a larger one; what to tell it then.
    pub(crate) fn grow_receive(&mut self, now_ns: u64) -> Option<BareSegment> {
        let grown = self.wants_receive_room() && self.grow(now_ns, 0);
        grown.then(|| self.announcement(now_ns))
    }

    /// Whether the receive buffer is what limits the peer.
    pub(super) fn wants_receive_room(&self) -> bool {
        let capacity = self.socket().recv_capacity();
        // On lo the program reads before more can come: only a full buffer says that it is too small.
        let fast = !self.carrier.loopback && self.burst.bytes > capacity;
        capacity < self.most.rx && (fast || self.recv_queue() > capacity / 2)
    }

    /// Makes room for `to_send` bytes, and for what the peer sends if it wants more, if nothing is in flight.
    pub(super) fn grow(&mut self, now_ns: u64, to_send: usize) -> bool {
        let now = Sizes { rx: self.socket().recv_capacity(), tx: self.socket().send_capacity() };
        let tx = now.tx.max(to_send.next_power_of_two().min(self.most.tx));
        let wanted = if self.wants_receive_room() { now.rx * STEP } else { now.rx };
        // With much to send there will be no other time when nothing is in flight: make room both ways.
        let rx = if tx > now.tx { wanted.max(tx) } else { wanted };
        let rx = rx.min(self.most.rx).max(now.rx);
        let resized = (rx > now.rx || tx > now.tx) && self.resize(now_ns, Sizes { rx, tx });
        if resized {
            self.burst.restart(now_ns);
        }
        resized
    }

    /// Gives memory back that an idle connection does not need; what to tell the peer.
    pub(crate) fn shrink(&mut self, now_ns: u64) -> Option<BareSegment> {
        let quiet = self.recv_queue() == 0 && !self.owes_acknowledgement();
        (quiet && self.resize(now_ns, self.least())).then(|| self.announcement(now_ns))
    }

    /// Whether it has more memory than an idle connection needs.
    pub(crate) fn is_grown(&self) -> bool {
        let least = self.least();
        let grown = self.socket().send_capacity() > least.tx || self.socket().recv_capacity() > least.rx;
        grown && self.is_resizable()
    }

    /// A window that was announced is not taken back (RFC 9293, section 3.8.6), except on `lo`, where the peer is us.
    fn least(&self) -> Sizes {
        let announced = if self.carrier.loopback { SMALL } else { self.socket().recv_capacity() };
        Sizes { rx: announced.min(self.most.rx), tx: SMALL.min(self.most.tx) }
    }

    /// Something came that has not been acknowledged.
    pub(crate) fn owes_acknowledgement(&self) -> bool {
        seq_after(self.rcv_nxt(), self.ledger.rcv_nxt)
    }

    /// `RCV.NXT`, FIN aside.
    pub(super) fn rcv_nxt(&self) -> u32 {
        self.first_unread().wrapping_add(u32::try_from(self.recv_queue()).unwrap_or(0))
    }

    pub(super) fn first_unread(&self) -> u32 {
        self.ledger.irs.wrapping_add(1).wrapping_add(self.ledger.read)
    }

    /// A segment that tells the peer what has come and how much room there is.
    pub(crate) fn announcement(&mut self, now_ns: u64) -> BareSegment {
        let free = self.socket().recv_capacity() - self.recv_queue();
        self.ledger.window = u16::try_from(free >> self.announced_shift()).unwrap_or(u16::MAX);
        self.ledger.rcv_nxt = self.rcv_nxt().wrapping_add(u32::from(self.fin_received()));
        let (seq, ack) = (self.ledger.snd_nxt, Some(self.ledger.rcv_nxt));
        let stamp = self.stamp(now_ns);
        let ece = self.echoes_mark();
        BareSegment { flow: self.flow, rst: false, seq, ack, window: self.ledger.window, stamp, ece }
    }

    /// Whether it is in a state in which its buffers can be exchanged.
    pub(super) fn is_resizable(&self) -> bool {
        matches!(self.socket().state(), State::Established | State::CloseWait)
    }

    /// Exchanges the buffers. `false`: not now, or not with this smoltcp; all is as before.
    fn resize(&mut self, now_ns: u64, sizes: Sizes) -> bool {
        let holes = self.ahead != 0 && seq_after(self.ahead, self.rcv_nxt()) && !self.carrier.loopback;
        if !self.is_resizable() || self.socket().send_queue() > 0 || holes {
            return false;
        }
        let mut unread = vec![0; self.recv_queue()];
        let base = self.first_unread();
        let finished = self.socket().state() == State::CloseWait;
        if self.socket_mut().peek_slice(&mut unread) != Ok(unread.len()) {
            return false;
        }
        let mut double = Double::new(self, now_ns, sizes);
        double.shake_hands(base);
        double.hand_over(base, &unread, finished);
        let expected = if finished { State::CloseWait } else { State::Established };
        let socket = double.sockets.get::<tcp::Socket<'_>>(double.handle);
        if double.isn != Some(self.ledger.snd_nxt.wrapping_sub(1))
            || socket.state() != expected
            || socket.recv_queue() != unread.len()
        {
            return false;
        }
        let Double { interface, sockets, handle, .. } = double;
        (self.interface, self.sockets, self.handle) = (interface, sockets, handle);
        self.set_clock_right();
        self.ledger.irs = base.wrapping_sub(1);
        self.ledger.read = 0;
        self.ledger.syn_last = true;
        self.set_nodelay(self.nodelay);
        self.set_ttl(self.ttl);
        true
    }
}

/// The engine to be, before it takes the old one's place.
struct Double<'a> {
    old: &'a Engine,
    now_ns: u64,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    frames: Frames,
    /// The initial sequence number that it has chosen.
    isn: Option<u32>,
}

impl<'a> Double<'a> {
    fn new(old: &'a Engine, now_ns: u64, sizes: Sizes) -> Self {
        let seed = seed_for(old.ledger.snd_nxt.wrapping_sub(1));
        let Build { interface, mut sockets, handle } =
            build(old.carrier, sizes, seed, old.flow.local, (now_ns, old.timestamps.agreed()));
        let local = super::ip_endpoint(old.flow.local);
        // Cannot fail: the socket is new and the port is not 0.
        let _ = sockets.get_mut::<tcp::Socket<'_>>(handle).listen(local);
        Self { old, now_ns, interface, sockets, handle, frames: Frames::default(), isn: None }
    }

    fn shake_hands(&mut self, base: u32) {
        let peer = self.old.peer;
        let syn = TcpRepr {
            control: TcpControl::Syn,
            ack_number: None,
            window_len: u16::try_from(self.old.peer_window).unwrap_or(u16::MAX),
            window_scale: peer.scale,
            max_seg_size: Some(peer.mss),
            sack_permitted: peer.sack,
            timestamp: self.old.timestamps.agreed().then(|| TcpTimestampRepr::new(0, 0)),
            ..self.segment(base.wrapping_sub(1), &[])
        };
        self.feed(&syn);
        let mut port = Port { carrier: self.old.carrier, rx: None, tx: &mut self.frames };
        self.interface.poll_egress(instant(self.now_ns), &mut port, &mut self.sockets);
        let answer = self.frames.made.pop_front();
        let seq = |frame: &Frame| Some(Segment::parse(&IpPacket::parse(frame.bytes(), false)?, false)?.seq);
        self.isn = answer.as_ref().and_then(seq);
    }

    /// The last step of the handshake, with what was not read and, if it had come, the FIN.
    fn hand_over(&mut self, base: u32, unread: &[u8], finished: bool) {
        let acknowledgement = self.segment(base, &[]);
        self.feed(&acknowledgement);
        let mut seq = base;
        for chunk in unread.chunks(CHUNK) {
            let data = self.segment(seq, chunk);
            self.feed(&data);
            seq = seq.wrapping_add(u32::try_from(chunk.len()).unwrap_or(0));
        }
        if finished {
            let fin = TcpRepr { control: TcpControl::Fin, ..self.segment(seq, &[]) };
            self.feed(&fin);
        }
    }

    fn segment<'b>(&self, seq: u32, payload: &'b [u8]) -> TcpRepr<'b> {
        let flow = self.old.flow;
        let window = self.old.peer_window >> self.old.peer.scale.unwrap_or(0);
        TcpRepr {
            src_port: flow.remote.port,
            dst_port: flow.local.port,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(seq.cast_signed()),
            ack_number: Some(TcpSeqNumber(self.old.ledger.snd_nxt.cast_signed())),
            window_len: u16::try_from(window).unwrap_or(u16::MAX),
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        }
    }

    fn feed(&mut self, repr: &TcpRepr<'_>) {
        let flow = self.old.flow;
        let (src, dst) = (IpAddress::from(flow.remote.ip), IpAddress::from(flow.local.ip));
        let caps = ChecksumCapabilities::ignored();
        let ip = IpRepr::new(src, dst, IpProtocol::Tcp, repr.buffer_len(), 64);
        let mut frame = self.frames.take(ip.buffer_len());
        ip.emit(frame.bytes_mut(), &caps);
        let mut tcp = TcpPacket::new_unchecked(&mut frame.bytes_mut()[ip.header_len()..]);
        repr.emit(&mut tcp, &src, &dst, &caps);
        let mut port = Port { carrier: self.old.carrier, rx: Some(frame.bytes()), tx: &mut self.frames };
        self.interface.poll_ingress_single(instant(self.now_ns), &mut port, &mut self.sockets);
        self.frames.give_back(frame);
    }
}

/// The seed with which smoltcp 0.14 draws `isn` as its initial sequence number: its generator (PCG, `src/rand.rs`)
/// backwards. [`Engine::resize`] looks whether it was drawn.
fn seed_for(isn: u32) -> u64 {
    let before = |state: u64| state.wrapping_sub(INCREMENT).wrapping_mul(INVERSE);
    // With its top three bits clear a state yields its bits 29 to 60; the lower ones are free.
    let states = (0..1 << 29).map(|free: u64| u64::from(isn) << 29 | free);
    // The number drawn before is the IPv4 identification, which is drawn again when it is 0.
    let draws_id_once = |&state: &u64| {
        let state = before(state);
        let n = state >> (29 - (state >> 61)) & 0xffff_ffff;
        (n ^ n >> 16) & 0xffff != 0
    };
    states.take(8).find(draws_id_once).map_or(0, |state| before(before(state)))
}

const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
const INCREMENT: u64 = 0x7590_ef39;
/// The multiplier's inverse modulo 2^64, by Newton's method: each round doubles the bits that are right.
const INVERSE: u64 = {
    let mut inverse = MULTIPLIER;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
};
