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

/// A yield that takes so long gave the core to somebody else for a whole
/// time slice. Who sleeps is woken at once.
const CROWDED_NS: u64 = 200_000;
/// What such a yield weighs against short ones, and how much of that makes a crowd: now and then one takes long for no such
/// reason, an interrupt or a virtual machine that was put aside.
const WEIGHT: u32 = 32;
const CROWD: u32 = 80;
/// It is not looked for so long then, and twice as long each time that it is no better.
const CROWDED_FOR_NS: u64 = 100_000_000;
const CROWDED_FOR_MAX_NS: u64 = 10_000_000_000;

/// Whether requests keep coming.
#[derive(Debug)]
pub(crate) struct Spin {
    last_ns: u64,
    close: u32,
    suspicion: u32,
    /// Others need the core until then.
    crowded_until_ns: u64,
    /// How long it is not looked the next time.
    crowded_for_ns: u64,
}

impl Default for Spin {
    fn default() -> Self {
        Self { last_ns: 0, close: 0, suspicion: 0, crowded_until_ns: 0, crowded_for_ns: CROWDED_FOR_NS }
    }
}

impl Spin {
    /// Something was to be done at this time.
    pub(crate) fn worked(&mut self, now_ns: u64) {
        let close = now_ns.saturating_sub(self.last_ns) < APART_NS;
        self.close = if close { (self.close + 1).min(IN_A_ROW) } else { self.close / 2 };
        self.last_ns = now_ns;
    }

    /// The core was yielded between these times.
    pub(crate) fn yielded(&mut self, from_ns: u64, now_ns: u64) {
        if now_ns.saturating_sub(from_ns) > CROWDED_NS {
            self.suspicion += WEIGHT;
            if self.suspicion >= CROWD {
                self.suspicion = 0;
                self.crowded_until_ns = now_ns.saturating_add(self.crowded_for_ns);
                self.crowded_for_ns = (self.crowded_for_ns * 2).min(CROWDED_FOR_MAX_NS);
            }
        } else {
            self.suspicion = self.suspicion.saturating_sub(1);
            self.crowded_for_ns = (self.crowded_for_ns - self.crowded_for_ns / 1024).max(CROWDED_FOR_NS);
        }
    }

    /// Whether to look again rather than sleep.
    pub(crate) fn looks(&self, now_ns: u64) -> bool {
        self.close == IN_A_ROW
            && now_ns.saturating_sub(self.last_ns) < LOOK_NS
            && now_ns >= self.crowded_until_ns
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
        spin.yielded(now, now + CROWDED_NS);
        assert!(spin.looks(now + CROWDED_NS / 4), "some turns take long");
        spin.yielded(now, now + CROWDED_NS + 1);
        assert!(spin.looks(now + CROWDED_NS / 4), "one of them is no crowd");
        (0..2).for_each(|_| spin.yielded(now, now + CROWDED_NS + 1));
        let later = now + CROWDED_NS + CROWDED_FOR_NS;
        spin.worked(later);
        assert!(!spin.looks(later));
        (2..20).for_each(|n| spin.worked(later + n));
        assert!(spin.looks(later + 20));
    }
}
