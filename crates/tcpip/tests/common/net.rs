//! Two stacks joined by a line with faults (`tcpip::fault`), on a virtual clock. The same seed gives the same run.

use abi::Errno;
use tcpip::{
    Config, LinkConfig, LinkId, SocketId, Stack,
    fault::{FaultSpec, Faults, Share},
};

pub(crate) const A: &str = "10.0.0.1";
pub(crate) const B: &str = "10.0.0.2";
pub(crate) const MS: u64 = 1_000_000;

/// What the link does to packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) loss_percent: u64,
    pub(crate) duplicate_percent: u64,
    pub(crate) delay_ns: u64,
    /// Up to so much more, at random: packets overtake each other.
    pub(crate) jitter_ns: u64,
    /// Packets that can be marked are marked instead of lost.
    pub(crate) ecn: bool,
}

impl Weather {
    pub(crate) const FINE: Self =
        Self { loss_percent: 0, duplicate_percent: 0, delay_ns: 5 * MS, jitter_ns: 0, ecn: false };

    pub(crate) fn losing(loss_percent: u64) -> Self {
        Self { loss_percent, duplicate_percent: 2, delay_ns: 5 * MS, jitter_ns: 2 * MS, ecn: false }
    }

    fn faults(&self, seed: u64) -> FaultSpec {
        let share = |percent: u64| Share::from_ppm(percent as u32 * 10_000).expect("at most all");
        FaultSpec {
            loss: share(self.loss_percent),
            ecn: self.ecn,
            duplicate: share(self.duplicate_percent),
            delay_ns: self.delay_ns + self.jitter_ns / 2,
            jitter_ns: self.jitter_ns / 2,
            limit: usize::MAX,
            seed,
            ..FaultSpec::default()
        }
    }
}

#[derive(Debug)]
pub(crate) struct Net {
    /// `stacks[0]` has address [`A`], `stacks[1]` [`B`].
    pub(crate) stacks: [Stack; 2],
    links: [LinkId; 2],
    pub(crate) weather: Weather,
    pub(crate) now_ns: u64,
    random: u64,
    /// To each of the stacks.
    lines: [Faults; 2],
}

impl Net {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        let host = |addr: &str, seed: u64| {
            let mut stack = Stack::new(Config { seed });
            let addrs = vec![(addr.parse().expect("an address"), 24)];
            let config = LinkConfig { addrs, ..LinkConfig::ip("p2p0") };
            let link = stack.add_link(config).expect("a link");
            (stack, link)
        };
        let ((a, link_a), (b, link_b)) = (host(A, seed), host(B, seed + 1));
        Self {
            stacks: [a, b],
            links: [link_a, link_b],
            weather,
            now_ns: 0,
            random: seed.wrapping_mul(2) + 1,
            lines: [0, 1].map(|to| Faults::new(weather.faults(seed * 2 + to))),
        }
    }

    /// Carries what the stacks have sent; then lets the next thing happen, no later than `until_ns`.
    /// `false`: nothing happens before that.
    pub(crate) fn step(&mut self, until_ns: u64) -> bool {
        self.collect();
        let arrival = self.lines.iter().filter_map(Faults::next_deadline).min();
        let deadlines = self.stacks.iter().filter_map(Stack::next_deadline);
        let Some(next_ns) = deadlines.chain(arrival).min().filter(|&at_ns| at_ns <= until_ns) else {
            self.set_time(until_ns);
            return false;
        };
        self.set_time(next_ns);
        for to in 0..2 {
            while let Some(packet) = self.lines[to].pop(self.now_ns) {
                self.stacks[to].frame_in(self.links[to], &packet);
            }
        }
        self.collect();
        true
    }

    /// Lets `ns` nanoseconds pass.
    pub(crate) fn run(&mut self, ns: u64) {
        let until_ns = self.now_ns + ns;
        while self.step(until_ns) {}
    }

    fn set_time(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        for stack in &mut self.stacks {
            stack.advance(self.now_ns);
        }
    }

    fn collect(&mut self) {
        for to in 0..2 {
            let seed = self.lines[to].spec().seed;
            self.lines[to].change(self.weather.faults(seed));
            while let Some((_, packet)) = self.stacks[1 - to].next_frame() {
                self.lines[to].push(self.now_ns, packet);
            }
        }
    }

    /// xorshift64* (Vigna).
    pub(crate) fn next_random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A connection from A to B's `port`: its ends there and here, and the listener.
    pub(crate) fn connect(&mut self, port: u16) -> (SocketId, SocketId, SocketId) {
        let addr = format!("{B}:{port}");
        let listener = super::listener(&mut self.stacks[1], &addr);
        let client = super::client(&mut self.stacks[0], &addr);
        let until_ns = self.now_ns + 130_000 * MS;
        while self.stacks[0].connect(client, super::at(&addr)) == Err(Errno::EALREADY) {
            assert!(self.step(until_ns), "no connection");
        }
        loop {
            match self.stacks[1].accept(listener) {
                Ok((server, _)) => return (client, server, listener),
                Err(error) => assert_eq!(error, Errno::EAGAIN),
            }
            assert!(self.step(until_ns), "not accepted");
        }
    }
}
