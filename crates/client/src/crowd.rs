//! Whether a core is a place to look for an answer.

use wire::patience::Patience;

/// Ticks of the time stamp counter in a nanosecond: 1 to 5.
const TICKS: u64 = 3;
/// So many calls are slept for at first when looking has cost more than it saved.
const CALLS: u32 = 256;

/// What is known of the core.
#[derive(Debug)]
pub(crate) struct Crowd {
    patience: Patience,
    /// For so many calls more it is not looked.
    calls: u32,
}

impl Crowd {
    pub(crate) const fn new() -> Self {
        Self { patience: Patience::new(), calls: 0 }
    }

    /// Whether to look for this call's answer.
    pub(crate) const fn allows_a_look(&mut self) -> bool {
        let allows = self.calls == 0;
        self.calls = self.calls.saturating_sub(1);
        allows
    }

    /// A look found the answer.
    pub(crate) const fn found(&mut self) {
        self.patience.found();
    }

    /// A yield took so long; whether to go on looking.
    pub(crate) const fn yielded(&mut self, ticks: u64) -> bool {
        match self.patience.gave(ticks / TICKS) {
            Some(level) => {
                self.calls = CALLS << level;
                false
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_left_alone_for_some_calls() {
        let mut crowd = Crowd::new();
        for calls in [CALLS, 2 * CALLS, 4 * CALLS] {
            while crowd.allows_a_look() {
                crowd.found();
                crowd.yielded(10_000_000);
            }
            let slept = 1 + (0..).take_while(|_| !crowd.allows_a_look()).count();
            assert_eq!(slept, calls as usize);
        }
    }
}
