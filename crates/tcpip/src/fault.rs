//! A line that loses, delays, doubles, reorders and damages frames, as netem does (tc-netem(8)).
//!
//! A [`Faults`] is a value like the stack: frames and the time go in, frames come out when they are due. All that is random
//! in it follows from the seed. The virtual-clock tests and the links of a server use the same one.

use std::{cmp::Reverse, collections::BinaryHeap, num::NonZeroU64};

use crate::{Outgoing, ethernet, packet, random::Random};

/// A probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Share {
    ppm: u32,
}

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// In parts per million, at most one million.
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Option<Self> {
        if ppm <= Self::WHOLE { Some(Self { ppm }) } else { None }
    }

    /// In parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.ppm
    }

    const fn is_zero(self) -> bool {
        self.ppm == 0
    }
}

/// What is wrong with a line. The default is a perfect one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultSpec {
    /// Frames that never arrive.
    pub loss: Share,
    /// Of those, packets that can be marked (RFC 3168) are, and arrive.
    pub ecn: bool,
    /// Frames that arrive twice.
    pub duplicate: Share,
    /// Frames with one bit flipped.
    pub corrupt: Share,
    /// Frames that overtake all that are delayed.
    pub reorder: Share,
    /// How long a frame is on its way, in nanoseconds.
    pub delay_ns: u64,
    /// Each frame takes up to so much more or less, at random, and may overtake others by it.
    pub jitter_ns: u64,
    /// Bits per second: a frame waits until those before it are sent.
    pub rate_bps: Option<NonZeroU64>,
    /// Frames under way at most; those beyond are dropped.
    pub limit: usize,
    /// What chance follows from.
    pub seed: u64,
}

impl FaultSpec {
    /// netem's `limit`.
    pub const LIMIT: usize = 1000;

    /// Whether every frame arrives at once.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        Self { limit: Self::LIMIT, seed: 0, ecn: false, ..*self } == Self::default()
    }
}

impl Default for FaultSpec {
    fn default() -> Self {
        Self {
            loss: Share::default(),
            ecn: false,
            duplicate: Share::default(),
            corrupt: Share::default(),
            reorder: Share::default(),
            delay_ns: 0,
            jitter_ns: 0,
            rate_bps: None,
            limit: Self::LIMIT,
            seed: 0,
        }
    }
}

/// What has happened to frames so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounters {
    /// Lost by chance.
    pub lost: u64,
    /// Marked instead.
    pub marked: u64,
    /// Doubled.
    pub duplicated: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Sent past others.
    pub reordered: u64,
    /// Dropped because too many were under way.
    pub overlimit: u64,
}

/// A line with faults, in one direction.
#[derive(Debug)]
pub struct Faults {
    spec: FaultSpec,
    random: Random,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    /// When what was taken so far is sent, at the line's rate.
    sent_ns: u64,
    taken: u64,
    counters: FaultCounters,
    /// Where a frame's IP packet begins.
    header_len: usize,
}

/// Ordered by when it is due, then by when it was sent.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    due_ns: u64,
    number: u64,
    frame: Vec<u8>,
}

impl Faults {
    /// A line on which nothing is under way.
    #[must_use]
    pub fn new(spec: FaultSpec) -> Self {
        Self {
            spec,
            random: Random::new(spec.seed),
            under_way: BinaryHeap::new(),
            sent_ns: 0,
            taken: 0,
            counters: FaultCounters::default(),
            header_len: 0,
        }
    }

    /// A line whose frames are Ethernet's.
    #[must_use]
    pub fn over_ethernet(self) -> Self {
        Self { header_len: ethernet::HEADER, ..self }
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn spec(&self) -> &FaultSpec {
        &self.spec
    }

    /// From now on the line is like this; what is under way arrives when it was going to. Chance begins anew if the seed is
    /// another one.
    pub fn change(&mut self, spec: FaultSpec) {
        if spec.seed != self.spec.seed {
            self.random = Random::new(spec.seed);
        }
        if spec.rate_bps != self.spec.rate_bps {
            self.sent_ns = 0;
        }
        self.spec = spec;
    }

    /// Whether frames need not come here: they would pass at once.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.spec.is_perfect()
    }

    /// Takes a frame that is sent at `now_ns`. What happens to it is what happens on a wire: it is cut and summed up first.
    pub fn push(&mut self, now_ns: u64, frame: impl Into<Outgoing>) {
        let Outgoing { bytes, offload } = frame.into();
        for piece in offload.finish(self.header_len, bytes) {
            self.push_piece(now_ns, piece);
        }
    }

    fn push_piece(&mut self, now_ns: u64, mut frame: Vec<u8>) {
        if self.happens(self.spec.loss) {
            let marked = self.spec.ecn && frame.get_mut(self.header_len..).is_some_and(packet::mark);
            if !marked {
                self.counters.lost += 1;
                return;
            }
            self.counters.marked += 1;
        }
        if self.happens(self.spec.duplicate) {
            self.counters.duplicated += 1;
            self.enter(now_ns, frame.clone());
        }
        self.enter(now_ns, frame);
    }

    /// A frame that has arrived by `now_ns`.
    pub fn pop(&mut self, now_ns: u64) -> Option<Vec<u8>> {
        self.next_deadline().filter(|due_ns| *due_ns <= now_ns)?;
        self.under_way.pop().map(|Reverse(first)| first.frame)
    }

    /// When the next frame arrives.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.under_way.peek().map(|Reverse(first)| first.due_ns)
    }

    /// What was done so far.
    #[must_use]
    pub const fn counters(&self) -> FaultCounters {
        self.counters
    }

    fn enter(&mut self, now_ns: u64, mut frame: Vec<u8>) {
        if self.under_way.len() >= self.spec.limit {
            self.counters.overlimit += 1;
            return;
        }
        if self.happens(self.spec.corrupt) {
            self.counters.corrupted += 1;
            self.damage(&mut frame);
        }
        let due_ns = if self.happens(self.spec.reorder) {
            self.counters.reordered += 1;
            now_ns
        } else {
            self.send(now_ns, frame.len()).saturating_add(self.way_ns())
        };
        self.taken += 1;
        self.under_way.push(Reverse(UnderWay { due_ns, number: self.taken, frame }));
    }

    /// When the last bit of a frame of `len` bytes is sent.
    fn send(&mut self, now_ns: u64, len: usize) -> u64 {
        const NS: u64 = 1_000_000_000;
        let Some(rate_bps) = self.spec.rate_bps else { return now_ns };
        let bits = (len as u64).saturating_mul(8);
        let takes_ns = bits.saturating_mul(NS) / rate_bps;
        self.sent_ns = self.sent_ns.max(now_ns).saturating_add(takes_ns);
        self.sent_ns
    }

    /// How long a frame is under way.
    fn way_ns(&mut self) -> u64 {
        if self.spec.jitter_ns == 0 {
            return self.spec.delay_ns;
        }
        let more = self.below(self.spec.jitter_ns.saturating_mul(2).saturating_add(1));
        self.spec.delay_ns.saturating_add(more).saturating_sub(self.spec.jitter_ns)
    }

    fn damage(&mut self, frame: &mut [u8]) {
        let bit = self.below(8 * frame.len() as u64);
        let (byte, bit) = (usize::try_from(bit / 8).unwrap_or(0), bit % 8);
        if let Some(byte) = frame.get_mut(byte) {
            *byte ^= 1 << bit;
        }
    }

    fn happens(&mut self, share: Share) -> bool {
        !share.is_zero() && self.below(u64::from(Share::WHOLE)) < u64::from(share.ppm)
    }

    /// A random number below `limit`; 0 if there is none.
    fn below(&mut self, limit: u64) -> u64 {
        let product = u128::from(self.random.next()) * u128::from(limit);
        #[allow(clippy::cast_possible_truncation, reason = "the upper half is below the limit")]
        let upper = (product >> 64) as u64;
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn percent(percent: u32) -> Share {
        Share::from_ppm(percent * 10_000).expect("at most all")
    }

    /// Sends `count` numbered frames 1 ms apart; answers which arrived, and when.
    fn run(spec: FaultSpec, count: u32) -> (Vec<(u64, u32)>, FaultCounters) {
        let mut line = Faults::new(spec);
        let mut arrived = Vec::new();
        for number in 0..count {
            line.push(u64::from(number) * MS, number.to_le_bytes().to_vec());
        }
        while let Some(due) = line.next_deadline() {
            assert!(due == 0 || line.pop(due - 1).is_none(), "not before its time");
            let frame = line.pop(due).expect("one is due");
            arrived.push((due, u32::from_le_bytes(frame.try_into().expect("four bytes"))));
        }
        (arrived, line.counters())
    }

    #[test]
    fn a_perfect_line_changes_nothing() {
        assert!(Faults::new(FaultSpec::default()).is_idle());
        let (arrived, counters) = run(FaultSpec::default(), 100);
        assert_eq!(arrived, (0..100).map(|n| (u64::from(n) * MS, n)).collect::<Vec<_>>());
        assert_eq!(counters, FaultCounters::default());
    }

    #[test]
    fn shares_are_met_and_follow_from_the_seed() {
        let spec = FaultSpec { loss: percent(5), limit: usize::MAX, seed: 7, ..FaultSpec::default() };
        let (arrived, counters) = run(spec, 10_000);
        assert!((400..600).contains(&counters.lost), "{counters:?}");
        assert_eq!(arrived.len() as u64, 10_000 - counters.lost);
        assert_eq!(run(spec, 10_000).0, arrived, "the same seed, the same fate");
        assert_ne!(run(FaultSpec { seed: 8, ..spec }, 10_000).0, arrived);
        assert_eq!(run(FaultSpec { loss: percent(100), ..spec }, 50).0, []);
    }

    #[test]
    fn delay_jitter_and_overtaking() {
        let delay = FaultSpec { delay_ns: 20 * MS, ..FaultSpec::default() };
        assert_eq!(run(delay, 50).0, (0..50).map(|n| ((u64::from(n) + 20) * MS, n)).collect::<Vec<_>>());
        let (jittered, _) = run(FaultSpec { jitter_ns: 5 * MS, ..delay }, 500);
        assert!(jittered.iter().all(|(due, n)| (15..=25).contains(&(due / MS - u64::from(*n)))));
        assert!(jittered.windows(2).any(|pair| pair[0].1 > pair[1].1), "some overtake others");
        let (reordered, counters) = run(FaultSpec { reorder: percent(10), ..delay }, 500);
        let early = reordered.iter().filter(|(due, n)| *due == u64::from(*n) * MS).count() as u64;
        assert!(early == counters.reordered && early > 20, "{early}");
    }

    #[test]
    fn the_rate_spaces_frames_out() {
        // Four bytes at 16 kbit/s take 2 ms.
        let spec = FaultSpec { rate_bps: NonZeroU64::new(16_000), ..FaultSpec::default() };
        assert_eq!(run(spec, 50).0, (0..50).map(|n| (2 * MS * (u64::from(n) + 1), n)).collect::<Vec<_>>());
    }

    #[test]
    fn doubling_damage_and_the_limit() {
        let (arrived, counters) = run(FaultSpec { duplicate: percent(100), ..FaultSpec::default() }, 10);
        assert_eq!((arrived.len(), counters.duplicated), (20, 10));
        let (arrived, counters) = run(FaultSpec { corrupt: percent(100), ..FaultSpec::default() }, 10);
        assert_eq!(counters.corrupted, 10);
        assert!(arrived.iter().enumerate().all(|(n, (_, found))| (found ^ n as u32).count_ones() == 1));
        let few = FaultSpec { limit: 3, delay_ns: MS * 1000, ..FaultSpec::default() };
        let (arrived, counters) = run(few, 10);
        assert_eq!((arrived.len(), counters.overlimit), (3, 7));
    }
}
