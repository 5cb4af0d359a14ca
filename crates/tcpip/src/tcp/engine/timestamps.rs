//! Timestamps (RFC 7323): on every segment once both SYNs have had them. Old duplicates are told by them (PAWS, section 5).
//!
//! smoltcp makes room for them, by a clock that it is not given: the values are written here, as segments pass.

use smoltcp::wire::TcpOption;

use super::Engine;
use crate::packet::{self, Segment, seq_after};

/// Section 5.5: after 24 days without a segment what was heard last says nothing.
const OUTDATED_NS: u64 = 24 * 86_400 * 1_000_000_000;
/// Of one tick: Linux's, and section 5.4 wants it between 1 ms and 1 s.
const TICK_NS: u64 = 1_000_000;

/// A minute in ticks.
const MEASURED_MAX: u32 = 60_000;

/// What smoltcp writes in the place of a timestamp.
pub(super) fn placeholder() -> u32 {
    0
}

/// The timestamps of one connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timestamps {
    /// Our SYN offers them.
    offered: bool,
    /// Both have.
    agreed: bool,
    /// What our clock began with, which does not tell how long this host runs.
    offset: u32,
    /// `TS.Recent`, and when it came.
    recent: u32,
    recent_ns: u64,
}

/// A timestamps option: `TSval` and `TSecr`.
type Stamp = (u32, u32);

impl Timestamps {
    pub(super) fn new(offered: bool, offset: u32) -> Self {
        Self { offered, offset, ..Self::default() }
    }

    /// Both ends use them.
    pub(super) fn agreed(&self) -> bool {
        self.agreed
    }

    /// The peer's first SYN has come.
    pub(super) fn begin(&mut self, now_ns: u64, syn: &Segment<'_>) {
        if let (true, Some((value, _))) = (self.offered, syn.stamp()) {
            (self.agreed, self.recent, self.recent_ns) = (true, value, now_ns);
        }
    }

    /// Takes note of a segment's; `last_ack`: the acknowledgement that was sent last. `false`: it is an old duplicate.
    pub(super) fn note(&mut self, now_ns: u64, segment: &Segment<'_>, last_ack: u32) -> bool {
        let Some((value, _)) = segment.stamp().filter(|_| self.agreed) else { return true };
        let outdated = now_ns.saturating_sub(self.recent_ns) > OUTDATED_NS;
        if !outdated && seq_after(self.recent, value) {
            return segment.rst;
        }
        // Section 4.3; and what lies outside of the window is nobody's word.
        let end = segment.seq.wrapping_add(segment.len());
        if !seq_after(segment.seq, last_ack) && !seq_after(last_ack, end) {
            (self.recent, self.recent_ns) = (value, now_ns);
        }
        true
    }

    /// Whether a SYN was sent after all that was heard: it opens another connection (RFC 6191).
    pub(crate) fn is_outlived_by(&self, syn: &Segment<'_>) -> bool {
        self.agreed && syn.stamp().is_some_and(|(value, _)| seq_after(value, self.recent))
    }

    /// What a segment has that is sent now.
    pub(crate) fn stamp(&self, now_ns: u64) -> Option<Stamp> {
        self.agreed.then(|| (self.value(now_ns), self.recent))
    }

    /// How long ago that was sent which this segment acknowledges (section 4), at least a tick.
    pub(super) fn round_trip_ns(&self, now_ns: u64, segment: &Segment<'_>) -> Option<u64> {
        let (_, echo) = segment.stamp().filter(|(_, echo)| self.agreed && *echo != 0)?;
        let ticks = self.value(now_ns).wrapping_sub(echo);
        // What nobody has sent is no measure.
        (ticks < MEASURED_MAX).then(|| u64::from(ticks.max(1)) * TICK_NS)
    }

    fn value(&self, now_ns: u64) -> u32 {
        // A clock of 32 bits, which goes round.
        self.offset.wrapping_add(((now_ns / TICK_NS) & 0xffff_ffff) as u32)
    }

    /// Writes the values into a segment that has room for them.
    pub(super) fn write(&self, now_ns: u64, tcp: &mut [u8]) {
        packet::set_stamp(tcp, (self.value(now_ns), if self.agreed { self.recent } else { 0 }));
    }
}

impl Engine {
    /// The timestamps of segments that no engine makes.
    pub(crate) fn stamp(&self, now_ns: u64) -> Option<Stamp> {
        self.timestamps.stamp(now_ns)
    }

    /// The same when there is no engine any more.
    pub(crate) fn timestamps(&self) -> Timestamps {
        self.timestamps
    }
}

impl Segment<'_> {
    /// Its timestamps option.
    fn stamp(&self) -> Option<Stamp> {
        let mut options = self.options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::TimeStamp { tsval, tsecr } => return Some((tsval, tsecr)),
                TcpOption::EndOfList => break,
                _ => options = rest,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        addr::Flow,
        frame::Frames,
        packet::{BareSegment, IpPacket},
    };
    use smoltcp::phy::ChecksumCapabilities;

    const DAY_NS: u64 = 86_400 * 1_000_000_000;

    /// What `note` says of a segment of this number and stamp.
    fn note(timestamps: &mut Timestamps, now_ns: u64, (seq, rst): (u32, bool), value: u32) -> bool {
        let end = |port| crate::addr::Endpoint { ip: [10, 0, 0, 1].into(), port };
        let flow = Flow { local: end(1), remote: end(2) };
        let bare =
            BareSegment { flow, rst, seq, ack: Some(1), window: 9, stamp: Some((value, 5)), ece: false };
        let frame = bare.emit(&mut Frames::default(), &ChecksumCapabilities::default());
        let ip = IpPacket::parse(frame.bytes(), true).expect("a packet");
        let segment = Segment::parse(&ip, true).expect("a segment");
        assert_eq!(segment.stamp(), Some((value, 5)));
        timestamps.note(now_ns, &segment, 100)
    }

    #[test]
    fn old_duplicates_are_told() {
        let mut known = Timestamps { agreed: true, recent: 1000, recent_ns: 0, ..Timestamps::default() };
        assert!(!note(&mut known, 1, (100, false), 999), "before what was heard");
        assert!(note(&mut known, 1, (100, true), 999), "a RST is not judged by it");
        assert!(note(&mut known, 1, (101, false), 2000));
        assert_eq!(known.recent, 1000, "what is ahead says nothing yet");
        assert!(note(&mut known, 1, (50, false), 3000));
        assert_eq!(known.recent, 1000, "nor what was acknowledged");
        assert!(note(&mut known, 1, (100, false), 2000));
        assert_eq!(known.recent, 2000);
        assert!(note(&mut known, 25 * DAY_NS, (100, false), 7), "after 24 days");
        assert_eq!(known.recent, 7);
        known.recent = u32::MAX;
        assert!(note(&mut known, 25 * DAY_NS, (100, false), 3), "the clock goes round");
    }
}
