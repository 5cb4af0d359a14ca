//! Stacks on one Ethernet segment, on a virtual clock. What one sends, all the others get. The same seed gives the same run.

use std::{cmp::Reverse, collections::BinaryHeap};

use tcpip::{Config, LinkConfig, LinkId, Mac, Offload, Outgoing, Stack};

use super::net::MS;

/// When a frame arrives, its number, at which stack's link, its bytes, and what is left to be done for it.
type InFlight = (u64, u64, (usize, LinkId), Vec<u8>, Offload);

/// Hosts and segments.
#[derive(Debug, Default)]
pub(crate) struct Lan {
    pub(crate) stacks: Vec<Stack>,
    /// Who is on each segment.
    segments: Vec<Vec<(usize, LinkId)>>,
    pub(crate) delay_ns: u64,
    pub(crate) loss_percent: u64,
    pub(crate) now_ns: u64,
    /// Every frame that was sent, and by whom.
    pub(crate) seen: Vec<(usize, Vec<u8>)>,
    random: u64,
    sent: u64,
    in_flight: BinaryHeap<Reverse<InFlight>>,
}

impl Lan {
    pub(crate) fn new(seed: u64) -> Self {
        Self { delay_ns: MS, random: seed.wrapping_mul(2) + 1, ..Self::default() }
    }

    pub(crate) fn host(&mut self) -> usize {
        let seed = self.next_random();
        self.stacks.push(Stack::new(Config { seed }));
        self.stacks.len() - 1
    }

    /// Gives a host an interface on a segment, with addresses like `10.0.0.1/24`.
    pub(crate) fn join(&mut self, host: usize, segment: usize, addrs: &[&str]) -> LinkId {
        let index = u8::try_from(self.stacks[host].links().len()).expect("few links");
        let mac = Mac([2, 0, 0, 0, u8::try_from(host).expect("few hosts"), index]);
        let addrs = addrs.iter().map(|addr| prefix(addr)).collect();
        let config = LinkConfig { addrs, ..LinkConfig::ethernet(&format!("eth{}", index - 1), mac) };
        let link = self.stacks[host].add_link(config).expect("a link");
        while self.segments.len() <= segment {
            self.segments.push(Vec::new());
        }
        self.segments[segment].push((host, link));
        link
    }

    /// A segment with hosts 10.0.0.1 and 2001:db8::1, 10.0.0.2 and 2001:db8::2, and so on.
    pub(crate) fn flat(seed: u64, hosts: usize) -> Self {
        let mut lan = Self::new(seed);
        for n in 1..=hosts {
            let host = lan.host();
            lan.join(host, 0, &[&format!("10.0.0.{n}/24"), &format!("2001:db8::{n}/64")]);
        }
        lan.run(2_000 * MS);
        lan
    }

    pub(crate) fn step(&mut self, until_ns: u64) -> bool {
        self.collect();
        let arrival = self.in_flight.peek().map(|Reverse((at_ns, ..))| *at_ns);
        let deadlines = self.stacks.iter().filter_map(Stack::next_deadline);
        let next = deadlines.chain(arrival).min().filter(|&at_ns| at_ns <= until_ns);
        self.now_ns = self.now_ns.max(next.unwrap_or(until_ns));
        for stack in &mut self.stacks {
            stack.advance(self.now_ns);
        }
        while self.in_flight.peek().is_some_and(|Reverse((at_ns, ..))| *at_ns <= self.now_ns) {
            let Some(Reverse((_, _, (host, link), frame, offload))) = self.in_flight.pop() else { break };
            self.stacks[host].frame_in_with(link, &frame, offload);
        }
        self.collect();
        next.is_some()
    }

    pub(crate) fn run(&mut self, ns: u64) {
        let until_ns = self.now_ns + ns;
        while self.step(until_ns) {}
    }

    fn collect(&mut self) {
        for host in 0..self.stacks.len() {
            while let Some((link, Outgoing { bytes: frame, offload })) = self.stacks[host].next_frame_with() {
                self.seen.push((host, frame.clone()));
                let Some(segment) = self.segments.iter().find(|s| s.contains(&(host, link))).cloned() else {
                    continue;
                };
                for to in segment.into_iter().filter(|to| *to != (host, link)) {
                    if self.loss_percent > 0 && self.next_random() % 100 < self.loss_percent {
                        continue;
                    }
                    self.sent += 1;
                    let arrival = (self.now_ns + self.delay_ns, self.sent, to, frame.clone(), offload);
                    self.in_flight.push(Reverse(arrival));
                }
            }
        }
    }

    /// xorshift64* (Vigna).
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

/// `10.0.0.1/24` as an address and the length of its prefix.
pub(crate) fn prefix(text: &str) -> (std::net::IpAddr, u8) {
    let (ip, len) = text.split_once('/').expect("a slash");
    (ip.parse().expect("an address"), len.parse().expect("a length"))
}
