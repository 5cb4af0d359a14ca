//! The round trip, smoothed, and how far it varies (RFC 6298), as Linux has it (net/ipv4/tcp_input.c, tcp_rtt_estimator): a sample comes with
//! every acknowledgement, so the variation rises with each and falls once a round trip.

/// What is known of the round trip. 0: nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct RoundTrip {
    smoothed_ns: u64,
    /// Four times the mean deviation.
    deviation_ns: u64,
    /// The largest of those in this round trip, and when it began.
    largest_ns: u64,
    began_ns: u64,
    /// What the time-out is longer by than the round trip.
    margin_ns: u64,
}

impl RoundTrip {
    pub(super) const fn smoothed_ns(&self) -> u64 {
        self.smoothed_ns
    }

    /// The mean deviation (`tcpi_rttvar`).
    pub(super) const fn deviation_ns(&self) -> u64 {
        self.deviation_ns / 4
    }

    /// What the time-out is longer by than the round trip, if it is not to be a least one.
    pub(super) const fn margin_ns(&self) -> u64 {
        self.margin_ns
    }

    /// A segment that was sent once was acknowledged after `rtt_ns`.
    pub(super) fn note(&mut self, now_ns: u64, rtt_ns: u64) {
        if self.smoothed_ns == 0 {
            (self.smoothed_ns, self.deviation_ns, self.began_ns) = (rtt_ns.max(1), rtt_ns * 2, now_ns);
            (self.largest_ns, self.margin_ns) = (self.deviation_ns, self.deviation_ns);
            return;
        }
        let (apart_ns, quarter_ns) = (rtt_ns.abs_diff(self.smoothed_ns), self.deviation_ns / 4);
        let grows_ns = apart_ns.saturating_sub(quarter_ns);
        // That round trips get shorter does not make them vary more.
        self.deviation_ns += if rtt_ns < self.smoothed_ns { grows_ns / 8 } else { grows_ns };
        self.deviation_ns -= quarter_ns.saturating_sub(apart_ns);
        self.smoothed_ns = (self.smoothed_ns * 7 + rtt_ns).max(8) / 8;
        self.largest_ns = self.largest_ns.max(self.deviation_ns);
        self.margin_ns = self.margin_ns.max(self.largest_ns);
        if now_ns.saturating_sub(self.began_ns) > self.smoothed_ns {
            self.margin_ns -= (self.margin_ns - self.largest_ns) / 4;
            (self.largest_ns, self.began_ns) = (0, now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_steady_one_and_one_that_grows() {
        let mut round_trip = RoundTrip::default();
        round_trip.note(0, 20 * MS);
        assert_eq!((round_trip.smoothed_ns(), round_trip.deviation_ns()), (20 * MS, 10 * MS));
        for n in 0..1000 {
            round_trip.note(n * MS, 20 * MS);
        }
        assert!(round_trip.margin_ns() < MS, "{round_trip:?}");
        // A queue fills: each is a hundredth longer than the one before. The time-out stays ahead.
        let (mut now_ns, mut rtt_ns) = (1000 * MS, 20 * MS);
        for _ in 0..400 {
            rtt_ns += rtt_ns / 100;
            now_ns += MS;
            assert!(
                rtt_ns < round_trip.smoothed_ns() + round_trip.margin_ns().max(200 * MS),
                "{round_trip:?}"
            );
            round_trip.note(now_ns, rtt_ns);
        }
    }
}
