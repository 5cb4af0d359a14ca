//! Looking for the next request before going to sleep.
//!
//! A request to a server that sleeps on another core takes 50 to 60 µs for the wake-up alone; one to a server that looks takes a few. So
//! while requests keep coming the server looks for a while; when they stop it sleeps, and idle it does not run at all.

use wire::patience::Patience;

/// How long it looks after the last request.
const LOOK_NS: u64 = 60_000;
/// Requests further apart than this do not keep coming.
const APART_NS: u64 = 200_000;
/// So many close requests in a row begin it.
const IN_A_ROW: u32 = 8;

/// A yield that takes less has given the core to nobody.
const ALONE_NS: u64 = 1_000;
/// Looks at a lane between two yields of a core that nobody else wants: some 0.5 µs, what a yield takes.
const GLANCES: u32 = 16;

/// It is not looked for so long at first when looking has cost more than it saved.
const PAUSE_NS: u64 = 5_000_000;

/// Whether requests keep coming.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    last_ns: u64,
    close: u32,
    patience: Patience,
    /// Nobody else wanted the core at the last yield.
    alone: bool,
    /// Others need the core until then.
    pause_until_ns: u64,
}

impl Spin {
    /// Something was to be done at this time.
    pub(crate) fn worked(&mut self, now_ns: u64) {
        let close = now_ns.saturating_sub(self.last_ns) < APART_NS;
        self.close = if close { (self.close + 1).min(IN_A_ROW) } else { self.close / 2 };
        self.last_ns = now_ns;
    }

    /// A look found something.
    pub(crate) const fn found(&mut self) {
        self.patience.found();
    }

    /// The core was yielded between these times.
    pub(crate) fn yielded(&mut self, from_ns: u64, now_ns: u64) {
        let ns = now_ns.saturating_sub(from_ns);
        self.alone = ns < ALONE_NS;
        if let Some(level) = self.patience.gave(ns) {
            self.pause_until_ns = now_ns.saturating_add(PAUSE_NS << level);
        }
    }

    /// How often to look at what others write to memory before the next yield.
    pub(crate) const fn glances(&self) -> u32 {
        if self.alone { GLANCES } else { 1 }
    }

    /// Whether to look again rather than sleep.
    pub(crate) fn looks(&self, now_ns: u64) -> bool {
        self.close == IN_A_ROW
            && now_ns.saturating_sub(self.last_ns) < LOOK_NS
            && now_ns >= self.pause_until_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_while_requests_keep_coming() {
        let mut spin = Spin::default();
        let mut now = 1 << 40;
        spin.worked(now);
        assert!(!spin.looks(now), "one request is not many");
        for _ in 0..IN_A_ROW {
            now += 70_000;
            spin.worked(now);
        }
        assert!(spin.looks(now) && spin.looks(now + LOOK_NS - 1) && !spin.looks(now + LOOK_NS));
        now += 10 * APART_NS;
        spin.worked(now);
        assert!(!spin.looks(now), "a pause ends it");
    }

    #[test]
    fn not_while_others_need_the_core() {
        let mut spin = Spin::default();
        let now = 1 << 40;
        (0..20).for_each(|n| spin.worked(now + n));
        spin.yielded(now, now + 200_000);
        assert!(spin.looks(now + 20), "some turns take long");
        spin.yielded(now, now + 3_000_000);
        let later = now + 3_000_000 + PAUSE_NS;
        (0..20).for_each(|n| spin.worked(later - 30 + n));
        assert!(!spin.looks(later - 1));
        assert!(spin.looks(later));
    }
}
