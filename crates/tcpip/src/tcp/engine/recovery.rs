//! Lost segments are sent again as soon as the peer's acknowledgements say that they are lost.
//!
//! smoltcp 0.14 repairs one loss for each round trip and then waits a second, its shortest retransmission time-out; what
//! selective acknowledgements (RFC 2018) say it does not look at. So segments are kept here until they are acknowledged, found out
//! to be lost as RACK does (RFC 8985), and sent again; the last one is, too, when nothing is heard for long (TLP). Until all losses of
//! a round are repaired, smoltcp is shown duplicates of one acknowledgement: its window shrinks once, and it sends new segments for those
//! that are delivered.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{TcpOption, TcpPacket, TcpSeqNumber},
};

use super::{Engine, State, round_trip::RoundTrip};
use crate::{
    frame::{Frame, Frames},
    offload::{self, Offload},
    packet::{self, IpPacket, Segment, seq_after},
};

/// `DupThresh` (RFC 6675): so many segments above it were received.
const DUP_THRESHOLD: usize = 3;
/// How long an acknowledgement may be delayed: smoltcp's 10 ms, Linux's 40; one segment alone may wait longer.
const DELAYED_ACK_NS: u64 = 20_000_000;
const DELAYED_ACK_OF_ONE_NS: u64 = 60_000_000;
/// smoltcp's retransmission timer runs out after a second without news.
const REPEAT_NS: u64 = 500_000_000;
/// Of one acknowledgement: more at once would be a burst.
const STEPS_MAX: usize = 7;
/// For every other segment of a whole IP packet.
const UNCUT_STEPS_MAX: usize = 23;
/// Steps until the window cannot be what holds a connection up: four million bytes in segments of 1,448.
const OPENING: u32 = 2900;
/// Probes of the tail before the retransmission time-out (RFC 8985, section 7.3).
const PROBES_MAX: u32 = 1;

/// A segment with data that was not acknowledged yet.
#[derive(Debug)]
struct Sent {
    seq: u32,
    end: u32,
    at_ns: u64,
    again: bool,
    sacked: bool,
    packet: Arc<Packet>,
}

/// An IP packet that went out, with a segment or several that were not cut yet.
#[derive(Debug)]
struct Packet {
    bytes: Box<[u8]>,
    headers_len: usize,
    /// The number of its first byte of data.
    seq: u32,
}

impl Sent {
    /// The length of its own packet.
    fn len(&self) -> usize {
        self.packet.headers_len + self.end.wrapping_sub(self.seq) as usize
    }

    /// Which of the packet's data it is.
    fn range(&self) -> Range<usize> {
        let at = |seq: u32| seq.wrapping_sub(self.packet.seq) as usize;
        at(self.seq)..at(self.end)
    }
}

/// What is in flight, and what is known of it.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    sent: VecDeque<Sent>,
    sacked: usize,
    round_trip: RoundTrip,
    /// The least one; 0: not measured.
    min_rtt_ns: u64,
    /// The last one (`RACK.rtt`).
    rtt_ns: u64,
    /// When the segment that was delivered and sent last was sent, and its end (`RACK.xmit_ts`, `RACK.end_seq`).
    rack: (u64, u32),
    /// While losses are repaired: what was sent until they were found out.
    point: Option<u32>,
    /// When they were found out.
    began_ns: u64,
    /// smoltcp has seen that the first of them was repaired.
    partial: bool,
    /// The acknowledgement that smoltcp was shown last, and its window.
    shown: (u32, u16),
    /// Ends of segments before the last that an acknowledgement covers: smoltcp is shown one for each, because it makes its window
    /// larger by a segment for each acknowledgement, and peers acknowledge every other segment (RFC 9438, section 4.2, counts segments).
    steps: Vec<u32>,
    /// Losses were found out before. Until then smoltcp doubles its window anyhow, and more would overflow the path's queue by more.
    lossy: bool,
    /// Segments go out uncut.
    uncut: bool,
    /// Steps so far.
    opened: u32,
    /// Bytes that may be sent again for what has been delivered (RFC 6937, packet conservation).
    budget: usize,
    /// When a segment will count as lost.
    reorder_ns: Option<u64>,
    /// When the tail is probed.
    probe_ns: Option<u64>,
    probes: u32,
}

/// What is done with a segment that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// smoltcp gets it so many times.
    Feed(u8),
    /// smoltcp gets this acknowledgement number and window instead.
    Repeat(u32, u16),
    /// smoltcp would take it for a sign of another loss.
    Swallow,
}

impl Recovery {
    pub(super) fn round_trip(&self) -> &RoundTrip {
        &self.round_trip
    }

    /// A first round trip is known.
    pub(super) fn measured(&mut self, now_ns: u64, rtt_ns: u64) {
        self.round_trip.note(now_ns, rtt_ns);
        (self.min_rtt_ns, self.rtt_ns) = (rtt_ns, rtt_ns);
    }

    /// When [`Engine::resend`] will have something to do.
    pub(super) fn deadline(&self) -> Option<u64> {
        [self.reorder_ns, self.probe_ns].into_iter().flatten().min()
    }

    /// Takes note of an acknowledgement; `pure`: it brings nothing else; `asks`: its sequence number is one of before, so that it
    /// wants an answer (RFC 9293, sections 3.8.4 and 3.10.7.4).
    pub(super) fn acknowledged(
        &mut self,
        now_ns: u64,
        (ack, window): (u32, u16),
        blocks: &[(u32, u32)],
        (pure, asks): (bool, bool),
        snd_nxt: u32,
    ) -> Verdict {
        if self.sent.is_empty() {
            // At the third duplicate smoltcp would send data again that is not there, and forget its timer: a FIN that was lost
            // would stay so.
            let duplicate = pure && std::mem::replace(&mut self.shown, (ack, window)) == (ack, window);
            return if duplicate && !asks { Verdict::Swallow } else { Verdict::Feed(1) };
        }
        let (before, sacked_before) = (self.sent.len(), self.sacked);
        let (mut delivered, mut covered) = (0, 0);
        while let Some(first) = self.sent.pop_front_if(|first| !seq_after(first.end, ack)) {
            self.sacked -= usize::from(first.sacked);
            covered += 1;
            if pure && self.point.is_none() && first.end != ack {
                self.note_step(covered, first.end);
            }
            if !first.sacked {
                delivered += first.len();
                self.note_delivery(now_ns, &first);
            }
        }
        let advanced = self.sent.len() < before;
        for &(left, right) in blocks {
            delivered += self.mark(now_ns, left, right);
        }
        if advanced || self.sacked > sacked_before {
            self.probes = 0;
            self.arm_probe(now_ns);
        }
        if self.point.is_some_and(|point| !seq_after(point, ack)) {
            (self.point, self.partial) = (None, false);
        }
        if self.sent.is_empty() {
            (self.reorder_ns, self.probe_ns, self.budget) = (None, None, 0);
            self.shown = (ack, window);
            return Verdict::Feed(1);
        }
        let fresh = self.point.is_none() && self.find_lost(now_ns).is_some();
        let verdict = match self.point {
            Some(_) => self.go_on(now_ns, pure, advanced, delivered),
            None if fresh => {
                self.lossy = true;
                (self.point, self.partial, self.began_ns) = (Some(snd_nxt), false, now_ns);
                self.budget = delivered.max(1);
                // smoltcp counts to three before it shrinks its window; the first copy may be news to it.
                Verdict::Feed(if pure { 4 } else { 1 })
            }
            None => Verdict::Feed(1),
        };
        if matches!(verdict, Verdict::Feed(_)) {
            self.shown = (ack, window);
        }
        verdict
    }

    /// An acknowledgement covers this segment, its `covered`th, and more. Of segments that went uncut it covers dozens: until the
    /// window is open smoltcp is shown as many as peers send who get them cut.
    fn note_step(&mut self, covered: usize, end: u32) {
        let opens = self.uncut && self.opened < OPENING && covered.is_multiple_of(2);
        let most = if opens { UNCUT_STEPS_MAX } else { STEPS_MAX };
        if (self.lossy || opens) && self.steps.len() < most {
            self.opened += 1;
            self.steps.push(end);
        }
    }

    /// An acknowledgement while losses are repaired.
    fn go_on(&mut self, now_ns: u64, pure: bool, advanced: bool, delivered: usize) -> Verdict {
        self.budget = self.budget.saturating_add(delivered);
        if pure && !self.partial && now_ns.saturating_sub(self.began_ns) < REPEAT_NS {
            // What brings nothing new makes no room for anything new.
            let news = delivered > 0;
            return if news { Verdict::Repeat(self.shown.0, self.shown.1) } else { Verdict::Swallow };
        }
        self.partial |= advanced;
        if pure && !advanced { Verdict::Swallow } else { Verdict::Feed(1) }
    }

    /// Marks what a block of a selective acknowledgement covers; how many bytes are new.
    fn mark(&mut self, now_ns: u64, left: u32, right: u32) -> usize {
        let at = self.sent.partition_point(|sent| seq_after(left, sent.seq));
        let mut delivered = 0;
        for index in at..self.sent.len() {
            let Some(sent) = self.sent.get_mut(index) else { break };
            if seq_after(sent.end, right) {
                break;
            }
            if std::mem::replace(&mut sent.sacked, true) {
                continue;
            }
            delivered += sent.len();
            self.sacked += 1;
            let (at_ns, end, again) = (sent.at_ns, sent.end, sent.again);
            self.note_times(now_ns, at_ns, end, again);
        }
        delivered
    }

    fn note_delivery(&mut self, now_ns: u64, sent: &Sent) {
        self.note_times(now_ns, sent.at_ns, sent.end, sent.again);
    }

    fn note_times(&mut self, now_ns: u64, at_ns: u64, end: u32, again: bool) {
        let rtt_ns = now_ns.saturating_sub(at_ns);
        if again && rtt_ns < self.min_rtt_ns {
            // It is the first copy that was delivered (RFC 8985, section 6.2, step 2).
            return;
        }
        self.rtt_ns = rtt_ns;
        if !again {
            self.min_rtt_ns = if self.min_rtt_ns == 0 { rtt_ns } else { self.min_rtt_ns.min(rtt_ns) };
            self.round_trip.note(now_ns, rtt_ns);
        }
        if at_ns > self.rack.0 || (at_ns == self.rack.0 && seq_after(end, self.rack.1)) {
            self.rack = (at_ns, end);
        }
    }

    /// The first segment that is lost; arms the timer for those that may yet come.
    fn find_lost(&mut self, now_ns: u64) -> Option<usize> {
        self.reorder_ns = None;
        if self.sacked == 0 && !self.sent.front().is_some_and(|first| first.again) && self.rack.0 == 0 {
            return None;
        }
        let (rack_ns, rack_end) = self.rack;
        let patience_ns = self.round_trip.smoothed_ns().max(self.rtt_ns) + self.min_rtt_ns / 4;
        let mut above = self.sacked;
        for (index, sent) in self.sent.iter().enumerate() {
            if sent.sacked {
                above -= 1;
                continue;
            }
            let earlier = sent.at_ns < rack_ns || (sent.at_ns == rack_ns && seq_after(rack_end, sent.end));
            if !earlier {
                continue;
            }
            let due_ns = sent.at_ns + patience_ns;
            if (above >= DUP_THRESHOLD && !sent.again) || due_ns <= now_ns {
                return Some(index);
            }
            self.reorder_ns = Some(self.reorder_ns.map_or(due_ns, |at_ns| at_ns.min(due_ns)));
        }
        None
    }

    fn arm_probe(&mut self, now_ns: u64) {
        let srtt_ns = self.round_trip.smoothed_ns();
        let measured = srtt_ns > 0 && !self.sent.is_empty() && self.probes < PROBES_MAX;
        let delayed = if self.sent.len() == 1 { DELAYED_ACK_OF_ONE_NS } else { DELAYED_ACK_NS };
        self.probe_ns = measured.then(|| now_ns + ((2 * srtt_ns + delayed) << self.probes));
    }

    /// Notes a segment with data that goes out.
    pub(super) fn note_sent(&mut self, now_ns: u64, segment: &Segment<'_>, offload: Offload) {
        let headers_len = segment.bytes.len() - segment.data_len;
        let packet = Arc::new(Packet { bytes: segment.bytes.into(), headers_len, seq: segment.seq });
        self.uncut |= offload.segment_size.is_some();
        let size = offload.segment_size.map_or(segment.data_len, |size| usize::from(size.get()));
        for at in (0..segment.data_len).step_by(size.max(1)) {
            let number = |at: usize| segment.seq.wrapping_add(u32::try_from(at).unwrap_or(0));
            self.note_piece(now_ns, number(at), number(segment.data_len.min(at + size)), &packet);
        }
        self.arm_probe(now_ns);
    }

    fn note_piece(&mut self, now_ns: u64, seq: u32, end: u32, packet: &Arc<Packet>) {
        let at = if self.sent.back().is_none_or(|last| seq_after(seq, last.seq)) {
            self.sent.len()
        } else {
            self.sent.partition_point(|sent| seq_after(seq, sent.seq))
        };
        if let Some(same) = self.sent.get_mut(at).filter(|sent| sent.seq == seq && sent.end == end) {
            (same.at_ns, same.again) = (now_ns, true);
            return;
        }
        // Cut otherwise than before: after a time-out, or for a narrower path.
        while let Some(old) = self.sent.pop_back_if(|old| !seq_after(seq, old.seq)) {
            self.sacked -= usize::from(old.sacked);
        }
        let again = self.sent.back().is_some_and(|last| seq_after(last.end, seq));
        self.sent.push_back(Sent { seq, end, at_ns: now_ns, again, sacked: false, packet: packet.clone() });
    }

    /// The next packet to be sent again.
    fn next(&mut self, now_ns: u64, mtu: usize) -> Option<&Sent> {
        let allowed = self.point.is_some() && self.budget > 0;
        let overdue = self.reorder_ns.is_some_and(|at_ns| at_ns <= now_ns);
        let mut index = if allowed || overdue { self.find_lost(now_ns) } else { None };
        if index.is_none() && self.probe_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            self.probes += 1;
            self.arm_probe(now_ns);
            index = self.sent.iter().rposition(|sent| !sent.sacked);
        }
        let sent = self.sent.get_mut(index?).filter(|sent| sent.len() <= mtu)?;
        (sent.at_ns, sent.again) = (now_ns, true);
        self.budget = self.budget.saturating_sub(sent.len());
        Some(sent)
    }
}

impl Engine {
    /// Shows smoltcp a segment, step by step if it acknowledges several.
    pub(super) fn feed_in_steps(&mut self, now_ns: u64, segment: &Segment<'_>, frames: &mut Frames) {
        let mut steps = std::mem::take(&mut self.recovery.steps);
        if !self.is_resizable() {
            // Nothing new will be sent.
            steps.clear();
        }
        let scale = self.peer.scale.unwrap_or(0);
        for &end in &steps {
            // The window's right edge is where it is.
            let left = segment.ack.map_or(0, |ack| ack.wrapping_sub(end)) >> scale;
            let window = (u32::from(segment.window) + left).min(u16::MAX.into()) as u16;
            self.feed(now_ns, &segment.with_ack(end, window), frames);
        }
        self.recovery.steps = steps;
        self.recovery.steps.clear();
        self.feed(now_ns, segment.bytes, frames);
    }

    /// What an acknowledgement that came in means for what is in flight.
    pub(super) fn note_acknowledgement(&mut self, now_ns: u64, segment: &Segment<'_>) -> Verdict {
        self.recovery.steps.clear();
        let Some(ack) = segment.ack.filter(|_| !self.carrier.loopback && !segment.syn && !segment.rst) else {
            return Verdict::Feed(1);
        };
        if seq_after(ack, self.ledger.snd_nxt) {
            return Verdict::Feed(1);
        }
        self.note_timeout(now_ns, segment);
        if seq_after(ack, self.ledger.snd_una) {
            self.ledger.snd_una = ack;
        }
        let pure = segment.len() == 0;
        let asks = seq_after(self.ledger.rcv_nxt, segment.seq);
        self.recovery.acknowledged(
            now_ns,
            (ack, segment.window),
            &segment.sack_blocks(),
            (pure, asks),
            self.ledger.snd_nxt,
        )
    }

    /// A segment that is to be sent again, complete.
    pub(crate) fn resend(&mut self, now_ns: u64, frames: &mut Frames) -> Option<Frame> {
        if matches!(
            self.socket().state(),
            State::Closed | State::SynSent | State::SynReceived | State::TimeWait
        ) {
            return None;
        }
        let probes = self.recovery.probes;
        let sent = self.recovery.next(now_ns, self.carrier.mtu)?;
        let first = sent.seq == self.ledger.snd_una;
        let mut frame = frames.take(sent.len());
        offload::put_piece(&sent.packet.bytes, sent.packet.headers_len, sent.range(), frame.bytes_mut());
        let ip = IpPacket::parse(frame.bytes(), false)?;
        let (src, dst, header_len) = (ip.src, ip.dst, ip.bytes.len() - ip.payload.len());
        if self.ecn().0 {
            // What is sent again is not to be marked (RFC 3168, section 6.1.5).
            let tos = ip.tos & !packet::CODEPOINT;
            packet::set_tos(frame.bytes_mut(), tos, &ChecksumCapabilities::default());
        }
        self.timestamps.write(now_ns, &mut frame.bytes_mut()[header_len..]);
        let mut tcp = TcpPacket::new_unchecked(&mut frame.bytes_mut()[header_len..]);
        tcp.set_ack_number(TcpSeqNumber(self.ledger.rcv_nxt.cast_signed()));
        tcp.set_window_len(self.ledger.window);
        tcp.set_ece(self.echoes_mark());
        tcp.set_cwr(false);
        tcp.fill_checksum(&src.into(), &dst.into());
        self.ledger.segs_out = self.ledger.segs_out.wrapping_add(1);
        self.ledger.retrans = self.ledger.retrans.wrapping_add(1);
        if first || self.recovery.probes > probes {
            self.restart_timeout(now_ns);
        }
        Some(frame)
    }
}

impl Segment<'_> {
    /// Its packet with another acknowledgement number and window. smoltcp looks at no checksum.
    pub(super) fn with_ack(&self, ack: u32, window: u16) -> Vec<u8> {
        let mut packet = self.bytes.to_vec();
        let header_len = self.bytes.len() - self.tcp_len();
        let mut tcp = TcpPacket::new_unchecked(&mut packet[header_len..]);
        tcp.set_ack_number(TcpSeqNumber(ack.cast_signed()));
        tcp.set_window_len(window);
        packet
    }

    /// The blocks of a selective acknowledgement (RFC 2018).
    fn sack_blocks(&self) -> Vec<(u32, u32)> {
        let mut options = self.options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::SackRange(blocks) => return blocks.into_iter().flatten().collect(),
                TcpOption::EndOfList => break,
                _ => options = rest,
            }
        }
        Vec::new()
    }
}
