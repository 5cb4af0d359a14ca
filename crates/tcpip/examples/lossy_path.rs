//! How much a TCP connection moves over a bad path, on a virtual clock: `cargo run --release -p tcpip --example lossy_path`.
//!
//! Two stacks with a link between them that delays, loses at random (the same for each seed) and sends no more than its rate, from
//! a queue of 1,000 packets as netem's. Beside each figure stands what a Reno flow gets by the formula of Mathis et al.
//! (MSS / RTT × 1.22 / √p), or the rate of the link where that is less.

use std::{cmp::Reverse, collections::BinaryHeap};

use abi::Errno;
use tcpip::{Config, Domain, LinkConfig, LinkId, SocketId, Stack};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
const QUEUE: usize = 1000;

fn main() -> Result<(), Errno> {
    println!("delay   rate         loss    goodput      Reno's     ratio   segments sent again");
    for (delay_ms, mbit) in [(20, 100), (20, 20), (5, 1000), (20, 1000)] {
        for loss in [0.0, 0.001, 0.01, 0.03] {
            let mut sum = (0.0, 0);
            for seed in 1..=3 {
                let (goodput, retrans) = transfer(seed, delay_ms * MS, mbit * 1_000_000, loss)?;
                sum = (sum.0 + goodput / 3.0, sum.1 + retrans / 3);
            }
            let rtt_s = delay_ms as f64 * 2.0 / 1000.0;
            let reno = if loss > 0.0 { 1460.0 / rtt_s * 1.22 / loss.sqrt() } else { f64::MAX };
            let most = reno.min(mbit as f64 * 1e6 / 8.0 * 1460.0 / 1500.0);
            println!(
                "{delay_ms:>2} ms   {mbit:>4} Mbit/s  {:>4.1} %  {:>6.2} MB/s  {:>6.2} MB/s   {:>4.2}   {}",
                loss * 100.0,
                sum.0 / 1e6,
                most / 1e6,
                sum.0 / most,
                sum.1
            );
        }
    }
    Ok(())
}

/// Bytes in a second, over 20 seconds, and how many segments were sent again.
fn transfer(seed: u64, delay_ns: u64, rate: u64, loss: f64) -> Result<(f64, u32), Errno> {
    const SECONDS: u64 = 20;
    let mut path = Path::new(seed, delay_ns, rate, loss)?;
    let (client, server) = path.connect()?;
    let chunk = vec![0; 65536];
    let mut buf = vec![0; 1 << 20];
    let (mut got, end_ns) = (0u64, path.now_ns + SECONDS * SECOND);
    while path.now_ns < end_ns {
        while path.stacks[0].send(client, &chunk).is_ok() {}
        while let Ok(n @ 1..) = path.stacks[1].recv(server, &mut buf, false) {
            got += n as u64;
        }
        path.step(end_ns);
    }
    let retrans = path.stacks[0].tcp_info(client)?.total_retrans;
    Ok((got as f64 / SECONDS as f64, retrans))
}

type InFlight = Reverse<(u64, u64, usize, Vec<u8>)>;

struct Path {
    stacks: [Stack; 2],
    links: [LinkId; 2],
    delay_ns: u64,
    /// Bits in a second.
    rate: u64,
    loss: f64,
    /// When the link has sent what it was given, for each direction.
    free_ns: [u64; 2],
    now_ns: u64,
    random: u64,
    sent: u64,
    in_flight: BinaryHeap<InFlight>,
}

impl Path {
    fn new(seed: u64, delay_ns: u64, rate: u64, loss: f64) -> Result<Self, Errno> {
        let host = |ip: [u8; 4]| {
            let mut stack = Stack::new(Config { seed });
            let link =
                stack.add_link(LinkConfig { addrs: vec![(ip.into(), 24)], ..LinkConfig::ip("p2p0") })?;
            Ok((stack, link))
        };
        let ((a, la), (b, lb)) = (host([10, 0, 0, 1])?, host([10, 0, 0, 2])?);
        let (stacks, links) = ([a, b], [la, lb]);
        let random = seed * 2 + 1;
        let in_flight = BinaryHeap::new();
        Ok(Self {
            stacks,
            links,
            delay_ns,
            rate,
            loss,
            free_ns: [0; 2],
            now_ns: 0,
            random,
            sent: 0,
            in_flight,
        })
    }

    fn connect(&mut self) -> Result<(SocketId, SocketId), Errno> {
        let addr = ([10, 0, 0, 2], 80).into();
        let listener = self.stacks[1].tcp_socket(Domain::Inet);
        self.stacks[1].bind(listener, addr)?;
        self.stacks[1].listen(listener, 5)?;
        let client = self.stacks[0].tcp_socket(Domain::Inet);
        let _ = self.stacks[0].connect(client, addr);
        loop {
            self.step(self.now_ns + SECOND);
            if let Ok((server, _)) = self.stacks[1].accept(listener) {
                return Ok((client, server));
            }
        }
    }

    fn step(&mut self, until_ns: u64) {
        self.collect();
        let arrival = self.in_flight.peek().map(|Reverse((at_ns, ..))| *at_ns);
        let next = self.stacks.iter().filter_map(Stack::next_deadline).chain(arrival).min();
        self.now_ns = next.unwrap_or(until_ns).clamp(self.now_ns, until_ns.max(self.now_ns));
        for stack in &mut self.stacks {
            stack.advance(self.now_ns);
        }
        while self.in_flight.peek().is_some_and(|Reverse((at_ns, ..))| *at_ns <= self.now_ns) {
            let Some(Reverse((_, _, to, packet))) = self.in_flight.pop() else { break };
            self.stacks[to].frame_in(self.links[to], &packet);
        }
        self.collect();
    }

    fn collect(&mut self) {
        for from in 0..2 {
            while let Some((_, packet)) = self.stacks[from].next_frame() {
                let busy_ns = self.free_ns[from].saturating_sub(self.now_ns);
                let takes_ns = packet.len() as u64 * 8 * SECOND / self.rate;
                let lost = self.loss > 0.0 && (self.next_random() % 100_000) as f64 / 100_000.0 < self.loss;
                if lost || busy_ns / takes_ns.max(1) > QUEUE as u64 {
                    continue;
                }
                self.free_ns[from] = self.now_ns + busy_ns + takes_ns;
                self.sent += 1;
                self.in_flight.push(Reverse((
                    self.free_ns[from] + self.delay_ns,
                    self.sent,
                    1 - from,
                    packet,
                )));
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
