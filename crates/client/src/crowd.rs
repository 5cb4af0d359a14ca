//! Whether a core is a place to look for an answer.
//!
//! Who yields where somebody else computes waits for a whole time slice (a null call beside two busy loops: 1.8 ms), where
//! who sleeps is woken at once. Now and then a yield takes long for no such reason: an interrupt, a virtual machine that
//! was put aside.

/// A long yield, in ticks of the time stamp counter: 0.1 to 0.5 ms.
const LONG_TICKS: u64 = 500_000;
/// What a long yield weighs against short ones, and how much of that makes a crowd.
const WEIGHT: u32 = 32;
const CROWD: u32 = 80;
/// So many calls are slept for then, and twice as many each time that it is no better.
const CALLS: u32 = 4096;
const CALLS_MAX: u32 = 1 << 20;

/// What is known of the core.
#[derive(Debug)]
pub(crate) struct Crowd {
    suspicion: u32,
    /// For so many calls more it is not looked.
    calls: u32,
    /// For how many the next time.
    next: u32,
}

impl Crowd {
    pub(crate) const fn new() -> Self {
        Self { suspicion: 0, calls: 0, next: CALLS }
    }

    /// Whether to look for this call's answer.
    pub(crate) const fn allows_a_look(&mut self) -> bool {
        let allows = self.calls == 0;
        self.calls = self.calls.saturating_sub(1);
        allows
    }

    /// A yield took so long; whether to go on looking.
    pub(crate) fn yielded(&mut self, ticks: u64) -> bool {
        if ticks <= LONG_TICKS {
            self.suspicion = self.suspicion.saturating_sub(1);
            self.next = (self.next - self.next / CALLS).max(CALLS);
            return true;
        }
        self.suspicion += WEIGHT;
        if self.suspicion >= CROWD {
            (self.suspicion, self.calls) = (0, self.next);
            self.next = (self.next * 2).min(CALLS_MAX);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_yield_is_no_crowd() {
        let mut crowd = Crowd::new();
        for _ in 0..10 {
            assert!(crowd.allows_a_look() && !crowd.yielded(LONG_TICKS + 1));
            (0..WEIGHT).for_each(|_| assert!(crowd.yielded(10_000)));
        }
        assert!(crowd.allows_a_look());
    }

    #[test]
    fn a_crowd_is_left_alone_for_longer_each_time() {
        let mut crowd = Crowd::new();
        for calls in [CALLS, 2 * CALLS, 4 * CALLS] {
            while crowd.allows_a_look() {
                crowd.yielded(LONG_TICKS + 1);
            }
            let slept = 1 + (0..).take_while(|_| !crowd.allows_a_look()).count();
            assert_eq!(slept, calls as usize);
        }
    }
}
