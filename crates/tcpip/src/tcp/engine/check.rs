//! Segments that a stranger may have sent who knows the addresses and guesses numbers (RFC 5961). smoltcp takes a RST anywhere in
//! the window, and acknowledgements of what was not sent yet.

use super::{Engine, State};
use crate::packet::{Segment, seq_after};

/// What becomes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Take,
    Drop,
    /// The peer is told where the connection is: if it has sent the segment it will send the right one.
    Challenge,
}

impl Engine {
    /// Looks at a segment before anything else does.
    pub(crate) fn check(&self, segment: &Segment<'_>) -> Check {
        let state = self.state();
        if matches!(state, State::Closed | State::Listen | State::SynSent) {
            return Check::Take;
        }
        if segment.rst {
            return self.check_rst(segment.seq);
        }
        match (state, segment.ack) {
            (State::SynReceived, _) => Check::Take,
            // Section 4.2.
            _ if segment.syn => Check::Challenge,
            (_, None) => Check::Drop,
            (_, Some(ack)) if self.may_acknowledge(ack) => Check::Take,
            _ => Check::Challenge,
        }
    }

    /// Section 3.2.
    fn check_rst(&self, seq: u32) -> Check {
        let next = self.rcv_nxt().wrapping_add(u32::from(self.fin_received()));
        let shift = if self.ledger.syn_last { 0 } else { self.announced_shift() };
        let window = u32::from(self.ledger.window) << shift;
        match seq.wrapping_sub(next) {
            0 => Check::Take,
            ahead if ahead < window => Check::Challenge,
            _ => Check::Drop,
        }
    }

    /// Section 5.2: `SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT`.
    fn may_acknowledge(&self, ack: u32) -> bool {
        let oldest = self.snd_una().wrapping_sub(self.ledger.max_window);
        !seq_after(ack, self.ledger.snd_nxt) && !seq_after(oldest, ack)
    }

    /// The first of our bytes that is not acknowledged.
    pub(super) fn snd_una(&self) -> u32 {
        let acknowledged = self.ledger.written.wrapping_sub(self.send_queue() as u32);
        self.ledger.data_begin.wrapping_add(acknowledged)
    }

    /// A segment with bytes, overtaken by an acknowledgement that was sent behind it: smoltcp would drop the bytes too.
    pub(super) fn is_overtaken(&self, segment: &Segment<'_>) -> bool {
        let synchronized = !matches!(self.state(), State::Listen | State::SynSent | State::SynReceived);
        let old = segment.ack.is_some_and(|ack| seq_after(self.snd_una(), ack));
        synchronized && old && segment.len() > 0 && !segment.rst && !segment.syn
    }
}
