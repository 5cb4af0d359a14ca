//! Two stacks joined by a link that loses, delays, reorders and duplicates, on a virtual clock. The same seed gives
//! the same run.

use std::{cmp::Reverse, collections::BinaryHeap};

use abi::Errno;
use tcpip::{Config, LinkConfig, LinkId, SocketId, Stack};

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
}

impl Weather {
    pub(crate) const FINE: Self =
        Self { loss_percent: 0, duplicate_percent: 0, delay_ns: 5 * MS, jitter_ns: 0 };

    pub(crate) fn losing(loss_percent: u64) -> Self {
        Self { loss_percent, duplicate_percent: 2, delay_ns: 5 * MS, jitter_ns: 2 * MS }
    }
}

/// When a packet arrives, its number, at which stack, and its bytes.
type InFlight = (u64, u64, usize, Vec<u8>);

#[derive(Debug)]
pub(crate) struct Net {
    /// `stacks[0]` has address [`A`], `stacks[1]` [`B`].
    pub(crate) stacks: [Stack; 2],
    links: [LinkId; 2],
    pub(crate) weather: Weather,
    pub(crate) now_ns: u64,
    random: u64,
    sent: u64,
    in_flight: BinaryHeap<Reverse<InFlight>>,
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
            sent: 0,
            in_flight: BinaryHeap::new(),
        }
    }

    /// Carries what the stacks have sent; then lets the next thing happen, no later than `until_ns`.
    /// `false`: nothing happens before that.
    pub(crate) fn step(&mut self, until_ns: u64) -> bool {
        self.collect();
        let arrival = self.in_flight.peek().map(|Reverse((at_ns, ..))| *at_ns);
        let deadlines = self.stacks.iter().filter_map(Stack::next_deadline);
        let Some(next_ns) = deadlines.chain(arrival).min().filter(|&at_ns| at_ns <= until_ns) else {
            self.set_time(until_ns);
            return false;
        };
        self.set_time(next_ns);
        while let Some(Reverse((at_ns, _, to, packet))) = self.in_flight.pop() {
            if at_ns > self.now_ns {
                self.in_flight.push(Reverse((at_ns, 0, to, packet)));
                break;
            }
            self.stacks[to].frame_in(self.links[to], &packet);
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
        for from in 0..2 {
            while let Some((_, packet)) = self.stacks[from].next_frame() {
                if self.percent(self.weather.loss_percent) {
                    continue;
                }
                if self.percent(self.weather.duplicate_percent) {
                    self.carry(1 - from, packet.clone());
                }
                self.carry(1 - from, packet);
            }
        }
    }

    fn carry(&mut self, to: usize, packet: Vec<u8>) {
        let jitter =
            if self.weather.jitter_ns == 0 { 0 } else { self.next_random() % self.weather.jitter_ns };
        self.sent += 1;
        let at_ns = self.now_ns + self.weather.delay_ns + jitter;
        self.in_flight.push(Reverse((at_ns, self.sent, to, packet)));
    }

    fn percent(&mut self, percent: u64) -> bool {
        percent > 0 && self.next_random() % 100 < percent
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
