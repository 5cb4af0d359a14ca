//! Explicit congestion notification (RFC 3168): routers mark packets instead of dropping them, the receiver says so, and the sender
//! makes its window smaller.
//!
//! smoltcp knows nothing of it. The bits are put into segments that pass, and read off them; that the window is to be smaller it is told by
//! duplicate acknowledgements, and the segment that it sends again for them stays here.

use super::{Engine, recovery::Verdict};
use crate::packet::{Segment, seq_after};

/// ECT(0): the sender understands marks.
const ECT: u8 = 0b10;

/// What `net.ipv4.tcp_ecn` allows a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Our SYN asks for it.
    pub(crate) asks: bool,
    /// A peer's SYN may.
    pub(crate) accepts: bool,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Ecn {
    allowed: Allowed,
    /// Both ends use it.
    agreed: bool,
    /// A packet that could be marked has come (`TCPI_OPT_ECN_SEEN`).
    seen: bool,
    /// The peer is told of a mark until it says that it has heard.
    echoes: bool,
    /// The peer is to be told that its echo was heard.
    heard: bool,
    /// What had been sent when the window was made smaller last: once for each window (section 6.1.2).
    reduced: Option<u32>,
    /// smoltcp is about to send a segment again that is not lost.
    needless: bool,
}

/// What a segment of ours carries of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bits {
    /// In the IP header.
    pub(super) codepoint: u8,
    pub(super) ece: bool,
    pub(super) cwr: bool,
}

impl Ecn {
    pub(super) fn new(allowed: Allowed) -> Self {
        let (agreed, seen, echoes, heard, needless) = (false, false, false, false, false);
        Self { allowed, agreed, seen, echoes, heard, reduced: None, needless }
    }

    /// The peer's first SYN has come; `answered`: to ours.
    pub(super) fn begin(&mut self, syn: &Segment<'_>) {
        self.agreed = match syn.ack {
            Some(_) => self.allowed.asks && syn.ece && !syn.cwr,
            None => self.allowed.accepts && syn.ece && syn.cwr,
        };
    }

    /// A segment of the peer's has come (section 6.1.3).
    fn note(&mut self, segment: &Segment<'_>) {
        if self.agreed && segment.data_len > 0 {
            self.echoes &= !segment.cwr;
            self.echoes |= segment.is_marked();
            self.seen |= segment.codepoint != 0;
        }
    }

    /// What a segment of ours carries; `fresh`: it has data that was not sent before.
    fn bits(&self, segment: &Segment<'_>, fresh: bool, began: bool) -> Bits {
        if segment.syn {
            // A SYN that is sent again asks for nothing: some middleboxes drop those that do (section 6.1.1.1).
            let asks = segment.ack.is_none() && self.allowed.asks && !began;
            let answers = segment.ack.is_some() && self.agreed;
            return Bits { codepoint: 0, ece: asks || answers, cwr: asks };
        }
        if !self.agreed || segment.rst {
            return Bits::default();
        }
        let codepoint = if fresh { ECT } else { 0 };
        Bits { codepoint, ece: self.echoes && segment.ack.is_some(), cwr: fresh && self.heard }
    }
}

impl Engine {
    /// Whether both ends use it (`TCPI_OPT_ECN`), and whether the peer's packets can be marked (`TCPI_OPT_ECN_SEEN`).
    pub(crate) fn ecn(&self) -> (bool, bool) {
        (self.ecn.agreed, self.ecn.seen)
    }

    /// Whether acknowledgements carry ECE.
    pub(super) fn echoes_mark(&self) -> bool {
        self.ecn.echoes
    }

    /// What a segment of ours that is about to go out carries.
    pub(super) fn ecn_bits(&self, segment: &Segment<'_>) -> Bits {
        let end = segment.seq.wrapping_add(segment.len());
        let fresh = segment.data_len > 0 && (!self.ledger.started || seq_after(end, self.ledger.snd_nxt));
        self.ecn.bits(segment, fresh, self.ledger.started)
    }

    /// A segment of ours went out.
    pub(super) fn note_ecn_sent(&mut self, segment: &Segment<'_>) {
        self.ecn.heard &= !(segment.cwr && segment.data_len > 0);
    }

    /// Takes note of what a segment that came in says.
    pub(super) fn note_ecn(&mut self, segment: &Segment<'_>, verdict: Verdict) -> Verdict {
        self.ecn.note(segment);
        let Some(ack) = segment.ack.filter(|_| self.ecn.agreed && segment.ece && !segment.syn) else {
            return verdict;
        };
        let outstanding = seq_after(self.ledger.snd_nxt, ack);
        if self.ecn.reduced.is_some_and(|to| seq_after(to, ack)) || !outstanding {
            return verdict;
        }
        (self.ecn.reduced, self.ecn.heard) = (Some(self.ledger.snd_nxt), true);
        match verdict {
            Verdict::Feed(1) if segment.len() == 0 => {
                self.ecn.needless = true;
                // smoltcp counts to three; the first copy is news to it.
                Verdict::Feed(4)
            }
            // It is smaller already, or is made so for a loss.
            verdict => verdict,
        }
    }

    /// Whether a segment that smoltcp has made is not to go out: what it sends again is not lost.
    pub(crate) fn is_needless(&mut self, segment: &Segment<'_>) -> bool {
        let end = segment.seq.wrapping_add(segment.len());
        let data = segment.data_len > 0;
        data && std::mem::take(&mut self.ecn.needless) && !seq_after(end, self.ledger.snd_nxt)
    }
}
