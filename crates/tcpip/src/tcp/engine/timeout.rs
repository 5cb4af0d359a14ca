//! The retransmission time-out (RFC 6298): Linux's, which is 200 ms at least.
//!
//! smoltcp 0.14 waits for a second at least. What it does then is what is wanted: so its clock is put forward to when its timer runs out.

use super::{Engine, instant};
use crate::{frame::Frames, packet::Segment};
use smoltcp::time::Instant;

/// Before a round trip was measured (RFC 6298, section 2.1).
const FIRST_NS: u64 = 1_000_000_000;
/// `TCP_RTO_MIN`.
const LEAST_NS: u64 = 200_000_000;
/// `TCP_RTO_MAX`.
const MOST_NS: u64 = 120_000_000_000;
/// smoltcp has another timer that may run out first, that of delayed acknowledgements.
const TIMERS: u8 = 2;

/// The timer of a connection.
#[derive(Debug, Default)]
pub(super) struct Timeout {
    /// When it runs out.
    at_ns: Option<u64>,
    /// How often it has run out since something was acknowledged.
    backoff: u32,
    /// By how much smoltcp's clock is ahead.
    ahead_ns: u64,
    /// How many of smoltcp's timers are still to be brought forward.
    forward: u8,
}

impl Timeout {
    /// Its length for a smoothed round trip and what is to be added to it; 0: not measured.
    fn length_ns(&self, (srtt_ns, margin_ns): (u64, u64)) -> u64 {
        let first = if srtt_ns == 0 { FIRST_NS } else { srtt_ns + LEAST_NS.max(margin_ns) };
        first.saturating_mul(1 << self.backoff.min(20)).min(MOST_NS)
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.at_ns
    }
}

impl Engine {
    /// How long an acknowledgement is waited for (`tcpi_rto`).
    pub(crate) fn timeout_ns(&self) -> u64 {
        let round_trip = self.recovery.round_trip();
        self.timeout.length_ns((round_trip.smoothed_ns(), round_trip.margin_ns()))
    }

    /// `tcpi_backoff`.
    pub(crate) fn backoff(&self) -> u32 {
        self.timeout.backoff
    }

    /// Something that is to be acknowledged goes out (section 5.1).
    pub(super) fn start_timeout(&mut self, now_ns: u64) {
        if self.timeout.at_ns.is_none() && !self.carrier.loopback {
            self.timeout.at_ns = Some(now_ns + self.timeout_ns());
        }
    }

    /// An acknowledgement has come (sections 5.2 and 5.3).
    pub(super) fn note_timeout(&mut self, now_ns: u64, segment: &Segment<'_>) {
        let Some(ack) = segment.ack.filter(|_| self.timeout.at_ns.is_some()) else { return };
        let acknowledged = ack.wrapping_sub(self.ledger.snd_una);
        let outstanding = self.ledger.snd_nxt.wrapping_sub(self.ledger.snd_una);
        if acknowledged > outstanding {
            return;
        }
        if acknowledged == outstanding {
            (self.timeout.at_ns, self.timeout.backoff) = (None, 0);
        } else if acknowledged > 0 {
            self.timeout.backoff = 0;
            self.timeout.at_ns = Some(now_ns + self.timeout_ns());
        }
    }

    /// The first segment that is outstanding, or a probe of the tail, is sent again: its answer gets its time (RFC 8985, section 7.3;
    /// net/ipv4/tcp_output.c, tcp_xmit_retransmit_queue).
    pub(super) fn restart_timeout(&mut self, now_ns: u64) {
        if self.timeout.at_ns.is_some() {
            self.timeout.at_ns = Some(now_ns + self.timeout_ns());
        }
    }

    /// Doubles the time-out if it is over (sections 5.4 to 5.6), and has smoltcp send again.
    pub(super) fn expire(&mut self, now_ns: u64) {
        if self.timeout.at_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            self.timeout.backoff += 1;
            self.timeout.at_ns = Some(now_ns + self.timeout_ns());
            self.timeout.forward = TIMERS;
        }
    }

    /// Brings smoltcp's next timer forward if it is to send again; whether it did.
    pub(super) fn bring_forward(&mut self, now_ns: u64) -> bool {
        if self.timeout.forward == 0 {
            return false;
        }
        self.timeout.forward -= 1;
        let clock = self.clock(now_ns);
        let Some(at) = self.interface.poll_at(clock, &self.sockets) else { return false };
        self.timeout.ahead_ns += (at - clock).total_micros() * 1000;
        at > clock
    }

    /// A segment of ours goes out: of those that were outstanding, if it was one.
    pub(super) fn was_sent_again(&mut self, now_ns: u64, segment: &Segment<'_>, again: bool) {
        if again {
            self.timeout.forward = 0;
            if segment.seq == self.ledger.snd_una {
                self.restart_timeout(now_ns);
            }
        }
    }

    /// smoltcp's time.
    pub(super) fn clock(&self, now_ns: u64) -> Instant {
        instant(now_ns + self.timeout.ahead_ns)
    }

    /// Another smoltcp begins, whose clock is right.
    pub(super) fn set_clock_right(&mut self) {
        self.timeout.ahead_ns = 0;
    }

    /// When smoltcp has something to do.
    pub(super) fn smoltcp_deadline(&mut self, now_ns: u64) -> Option<u64> {
        let at = self.interface.poll_at(self.clock(now_ns), &self.sockets)?;
        let at_ns = u64::try_from(at.total_micros()).unwrap_or(0).saturating_mul(1000);
        Some(at_ns.saturating_sub(self.timeout.ahead_ns))
    }

    /// Lets smoltcp make a segment.
    pub(super) fn dispatch(&mut self, now_ns: u64, frames: &mut Frames) -> bool {
        let (before, clock) = (frames.made.len(), self.clock(now_ns));
        let mut port = crate::frame::Port { carrier: self.carrier, rx: None, tx: frames };
        self.interface.poll_egress(clock, &mut port, &mut self.sockets);
        frames.made.len() > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn lengths() {
        let timeout = |backoff| Timeout { backoff, ..Timeout::default() };
        assert_eq!(timeout(0).length_ns((0, 0)), 1000 * MS);
        assert_eq!(timeout(0).length_ns((10 * MS, 2 * MS)), 210 * MS);
        assert_eq!(timeout(0).length_ns((100 * MS, 320 * MS)), 420 * MS);
        assert_eq!(timeout(3).length_ns((10 * MS, 2 * MS)), 1680 * MS);
        assert_eq!(timeout(31).length_ns((10 * MS, 2 * MS)), MOST_NS);
    }
}
