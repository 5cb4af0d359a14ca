//! Looking for the next request before going to sleep.
//!
//! A request to a server that sleeps on another core takes 50 to 60 µs for the wake-up alone; one to a server that looks takes a few. So
//! while requests keep coming the server looks for a while; when they stop it sleeps, and idle it does not run at all.

/// How long it looks after the last request.
const LOOK_NS: u64 = 60_000;
/// Requests further apart than this do not keep coming.
const APART_NS: u64 = 200_000;
/// So many close requests in a row begin it.
const IN_A_ROW: u32 = 8;

/// Whether requests keep coming.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    last_ns: u64,
    close: u32,
}

impl Spin {
    /// Something was to be done at this time.
    pub(crate) fn worked(&mut self, now_ns: u64) {
        let close = now_ns.saturating_sub(self.last_ns) < APART_NS;
        self.close = if close { (self.close + 1).min(IN_A_ROW) } else { self.close / 2 };
        self.last_ns = now_ns;
    }

    /// Whether to look again rather than sleep.
    pub(crate) fn looks(&self, now_ns: u64) -> bool {
        self.close == IN_A_ROW && now_ns.saturating_sub(self.last_ns) < LOOK_NS
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
}
