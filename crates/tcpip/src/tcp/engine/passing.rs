//! What is read off the segments that pass, and put right in them.

use std::num::NonZeroU16;

use smoltcp::wire::{TCP_HEADER_LEN, TcpPacket, TcpSeqNumber};

use super::{Engine, State};
use crate::{
    frame::Frame,
    offload::Offload,
    packet::{self, IpPacket, Segment, seq_after},
};

/// The window scale that we announce (RFC 7323), whatever the size of the buffer is at the time: up to 8 MiB.
pub(crate) const SCALE: u8 = 7;

/// What the engine's own interface does not tell, read off the segments that pass.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ledger {
    /// `SND.UNA`: the highest number that was acknowledged.
    pub(super) snd_una: u32,
    /// `SND.NXT`: the highest sequence number sent, plus one.
    pub(crate) snd_nxt: u32,
    /// `RCV.NXT` as last announced.
    pub(crate) rcv_nxt: u32,
    /// Window field as last announced.
    pub(crate) window: u16,
    /// The largest window that the peer has announced, in bytes (`MAX.SND.WND`).
    pub(super) max_window: u32,
    /// The peer's initial sequence number.
    pub(super) irs: u32,
    /// Bytes that the program took out.
    pub(super) read: u32,
    /// The number of our first byte.
    pub(super) data_begin: u32,
    /// Bytes that the program gave us.
    pub(super) written: u32,
    /// The last segment sent was a SYN.
    pub(super) syn_last: bool,
    /// The peer's SYN has come.
    pub(crate) synchronized: bool,
    /// A segment was sent.
    pub(super) started: bool,
    pub(crate) segs_in: u32,
    pub(crate) segs_out: u32,
    pub(crate) retrans: u32,
}

impl Engine {
    /// smoltcp scales the window of its own SYN, which RFC 7323 (section 2.2) sends unscaled: right behind a
    /// handshake it would take bytes for which it has no room, and panic when it counts them.
    pub(super) fn overruns(&self, segment: &Segment<'_>) -> bool {
        let capacity = u32::try_from(self.socket().recv_capacity()).unwrap_or(u32::MAX);
        let right_edge =
            self.ledger.irs.wrapping_add(1).wrapping_add(self.ledger.read).wrapping_add(capacity);
        let end = segment.seq.wrapping_add(segment.len());
        // Before the peer's SYN nothing is known of its numbers: an acknowledgement of an earlier connection has to be answered by a RST
        // (RFC 9293, section 3.10.7.3), or the peer's TIME-WAIT would keep us waiting.
        self.ledger.synchronized && self.ledger.syn_last && seq_after(end, right_edge)
    }

    /// Puts right what smoltcp gets wrong or cannot know.
    ///
    /// An acknowledgement without data has the sequence number `SND.NXT` (RFC 9293, section 3.10.7.4). smoltcp
    /// turns its `SND.NXT` back when it retransmits: two ends that both do would reject each other's
    /// acknowledgements as old for ever. And the window is scaled as we announced it, not as the buffer of the
    /// moment suggests.
    ///
    /// Answers the bits of the IP header that are for congestion.
    pub(crate) fn amend(&self, now_ns: u64, frame: &mut Frame) -> u8 {
        let packet = frame.bytes_mut();
        let Some(ip) = IpPacket::parse(packet, false) else { return 0 };
        let (src, dst, header_len) = (ip.src, ip.dst, ip.bytes.len() - ip.payload.len());
        let Some(segment) = Segment::parse(&ip, false) else { return 0 };
        let bits = self.ecn_bits(&segment);
        let (syn, rst, len, seq, window) =
            (segment.syn, segment.rst, segment.len(), segment.seq, usize::from(segment.window));
        let data_len = segment.data_len;
        let tcp = &mut packet[header_len..];
        if !self.carrier.loopback {
            self.timestamps.write(now_ns, tcp);
        }
        if syn {
            packet::set_window_scale(tcp, SCALE);
            if self.carrier.offloads {
                let mss = self.carrier.mtu.saturating_sub(header_len + TCP_HEADER_LEN);
                packet::set_max_segment_size(tcp, u16::try_from(mss).unwrap_or(u16::MAX));
            }
        } else {
            let window = window << self.own_shift() >> self.announced_shift();
            let mut tcp = TcpPacket::new_unchecked(&mut *tcp);
            tcp.set_window_len(u16::try_from(window).unwrap_or(u16::MAX));
            // A RST of a connection that goes on refuses a segment, and has the number which that one expects.
            let own = !rst || self.state() == State::Closed;
            if self.ledger.started && len == 0 && own && seq_after(self.ledger.snd_nxt, seq) {
                tcp.set_seq_number(TcpSeqNumber(self.ledger.snd_nxt.cast_signed()));
            }
            if let Some(pointer) = self.urgent_pointer(tcp.seq_number().0.cast_unsigned())
                && !rst
            {
                tcp.set_urg(true);
                tcp.set_urgent_at(pointer);
            }
        }
        if bits.ece || bits.cwr {
            let mut tcp = TcpPacket::new_unchecked(&mut *tcp);
            tcp.set_ece(bits.ece);
            tcp.set_cwr(bits.cwr);
        }
        if self.carrier.offloads {
            let mss = self.max_segment_size(self.flow).min(self.peer_mss() as usize);
            let size = u16::try_from(mss).ok().filter(|size| data_len > usize::from(*size));
            frame.offload = Offload { unsummed: true, segment_size: size.and_then(NonZeroU16::new) };
        } else if !self.carrier.loopback {
            TcpPacket::new_unchecked(tcp).fill_checksum(&src.into(), &dst.into());
        }
        bits.codepoint
    }

    /// The shift of smoltcp's windows: it follows from the buffer's size.
    fn own_shift(&self) -> u32 {
        let bits = usize::BITS - self.socket().recv_capacity().leading_zeros();
        self.peer.scale.map_or(0, |_| bits.saturating_sub(16))
    }

    /// The shift that the peer applies: none unless both ends offered it.
    pub(super) fn announced_shift(&self) -> u32 {
        self.peer.scale.map_or(0, |_| SCALE.into())
    }

    /// Notes a segment of ours that goes out; whether it is one that went out before.
    pub(crate) fn sent(&mut self, now_ns: u64, segment: &Segment<'_>, offload: Offload) -> bool {
        let segments = offload.segments(segment.data_len);
        if segment.rst {
            // It has the number that the refused segment wants, or the connection is over.
            self.ledger.segs_out = self.ledger.segs_out.wrapping_add(1);
            return false;
        }
        self.forget_stale(segment.seq);
        if segment.len() > 0 && !segment.syn && !self.carrier.loopback {
            if segment.data_len > 0 {
                self.recovery.note_sent(now_ns, segment, offload);
            }
            self.start_timeout(now_ns);
        }
        self.note_ecn_sent(segment);
        let ledger = &mut self.ledger;
        if segment.syn {
            ledger.data_begin = segment.seq.wrapping_add(1);
            ledger.snd_una = ledger.data_begin;
        }
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
        ledger.segs_out = ledger.segs_out.wrapping_add(segments);
        ledger.retrans = ledger.retrans.wrapping_add(if again { segments } else { 0 });
        self.was_sent_again(now_ns, segment, again);
        again
    }
}
