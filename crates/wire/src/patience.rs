//! Whether to look for what the other end sends, or to sleep until it comes.
//!
//! Who looks sees it at once, where a wake-up on another core takes 40 to 60 µs. But who looks on a core that others need gives it away
//! between the looks, for a whole time slice if they compute, where who sleeps would be woken at once. So accounts are kept: what looking
//! has saved pays for the time that was lost by it, and when that is used up it is left for a while, and for longer each time that it is
//! no better.

/// What a look saves that finds something.
const SAVED_NS: u64 = 40_000;
/// More is not saved up, so that what was good does not count for long.
const CREDIT_MAX_NS: u64 = 1_000_000;
/// Shorter turns of others count for nothing: the other end of the same core has to work, too.
const SHORT_NS: u64 = 150_000;
/// So many finds make the next pause half as long.
const FINDS: u32 = 4096;
/// Pauses double as often.
const LEVEL_MAX: u32 = 12;

/// The accounts of one end.
#[derive(Debug, Clone)]
pub struct Patience {
    credit_ns: u64,
    finds: u32,
    level: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

impl Patience {
    /// With some credit.
    #[must_use]
    pub const fn new() -> Self {
        Self { credit_ns: CREDIT_MAX_NS, finds: 0, level: 0 }
    }

    /// What was looked for was there.
    pub const fn found(&mut self) {
        self.credit_ns =
            if self.credit_ns + SAVED_NS > CREDIT_MAX_NS { CREDIT_MAX_NS } else { self.credit_ns + SAVED_NS };
        self.finds += 1;
        if self.finds == FINDS {
            self.finds = 0;
            self.level = self.level.saturating_sub(1);
        }
    }

    /// Between two looks the core was somebody else's for so long. With an answer looking is to be left: for a time that doubles with
    /// each unit of it, which are 12 at most.
    #[must_use]
    pub const fn gave(&mut self, ns: u64) -> Option<u32> {
        if ns < SHORT_NS {
            return None;
        }
        if self.credit_ns >= ns {
            self.credit_ns -= ns;
            return None;
        }
        let level = self.level;
        if self.level < LEVEL_MAX {
            self.level += 1;
        }
        (self.credit_ns, self.finds) = (0, 0);
        Some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE_NS: u64 = 3_000_000;

    #[test]
    fn one_interruption_is_borne() {
        let mut patience = Patience::new();
        for _ in 0..100 {
            assert_eq!(patience.gave(SHORT_NS * 2), None);
            (0..10).for_each(|_| patience.found());
            (0..1000)
                .for_each(|_| assert_eq!(patience.gave(10_000), None, "short turns of others cost nothing"));
        }
    }

    #[test]
    fn a_crowd_is_left_alone_for_longer_each_time() {
        let mut patience = Patience::new();
        for expected in 0..20 {
            (0..100).for_each(|_| patience.found());
            assert_eq!(patience.gave(SLICE_NS), Some(expected.min(LEVEL_MAX)));
        }
        (0..FINDS * 3).for_each(|_| patience.found());
        assert_eq!(patience.gave(SLICE_NS), Some(LEVEL_MAX - 3), "and for less when it was better");
    }

    #[test]
    fn long_turns_that_pay_are_borne() {
        let mut patience = Patience::new();
        for _ in 0..1000 {
            (0..8).for_each(|_| patience.found());
            assert_eq!(patience.gave(8 * SAVED_NS), None);
        }
    }
}
