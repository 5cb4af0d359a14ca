//! What the stack costs by itself, without system calls or wake-ups: `cargo run --release -p tcpip --example stack_bench`.
//!
//! The clock of the machine is read here, not in the stack.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use abi::Errno;
use tcpip::{Config, Domain, SocketId, Stack};

const SERVER: &str = "127.0.0.1:80";

fn main() -> Result<(), Errno> {
    println!("buffers are touched as they fill; RSS at start {} KiB", rss_kib());
    for idle in [0, 1_000, 10_000, 50_000] {
        let mut bench = Bench::new()?;
        let before = rss_kib();
        bench.add_idle(idle)?;
        let per_connection = (rss_kib() - before) as f64 / f64::from(idle.max(1));
        let round_trip = bench.round_trip()?;
        let rate = bench.connections_per_second()?;
        println!(
            "{idle:>6} idle: 64-byte round trip {:>5} ns, {rate:>7.0} connections/s, {per_connection:.1} KiB per idle \
             connection (both ends)",
            round_trip.as_nanos(),
        );
    }
    for chunk in [4096, 65536, 262_144] {
        println!("stream in {chunk:>6}-byte calls: {:.0} MB/s", Bench::new()?.stream(chunk)? / 1e6);
    }
    Ok(())
}

struct Bench {
    stack: Stack,
    listener: SocketId,
    client: SocketId,
    server: SocketId,
}

impl Bench {
    fn new() -> Result<Self, Errno> {
        let mut stack = Stack::new(Config { seed: 1 });
        let listener = listen(&mut stack, SERVER)?;
        let (client, server) = connect(&mut stack, listener, SERVER)?;
        Ok(Self { stack, listener, client, server })
    }

    /// Connections that have each carried a request and an answer.
    fn add_idle(&mut self, count: u32) -> Result<(), Errno> {
        // 28,000 ephemeral ports lead to one address.
        for block in 0..count.div_ceil(20_000) {
            let addr = format!("127.0.1.{block}:80");
            let listener = listen(&mut self.stack, &addr)?;
            for _ in 0..(count - block * 20_000).min(20_000) {
                let (client, server) = connect(&mut self.stack, listener, &addr)?;
                ping(&mut self.stack, client, server)?;
            }
        }
        Ok(())
    }

    fn round_trip(&mut self) -> Result<Duration, Errno> {
        const ROUNDS: u32 = 200_000;
        let start = Instant::now();
        for _ in 0..ROUNDS {
            ping(&mut self.stack, self.client, self.server)?;
            while self.stack.next_change().is_some() {}
        }
        Ok(start.elapsed() / ROUNDS)
    }

    fn connections_per_second(&mut self) -> Result<f64, Errno> {
        const ROUNDS: u32 = 50_000;
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let (client, server) = connect(&mut self.stack, self.listener, SERVER)?;
            self.stack.close(client);
            self.stack.close(server);
            while self.stack.next_change().is_some() {}
        }
        Ok(f64::from(ROUNDS) / start.elapsed().as_secs_f64())
    }

    fn stream(&mut self, chunk: usize) -> Result<f64, Errno> {
        const TOTAL: usize = 2 << 30;
        let data = vec![1; chunk];
        let mut buf = vec![0; chunk];
        let start = Instant::now();
        let mut received = 0;
        while received < TOTAL {
            match self.stack.send(self.client, &data) {
                Ok(_) | Err(Errno::EAGAIN) => {}
                Err(error) => return Err(error),
            }
            while let Ok(n) = self.stack.recv(self.server, &mut buf, false) {
                received += n;
            }
            while self.stack.next_change().is_some() {}
        }
        Ok(received as f64 / start.elapsed().as_secs_f64())
    }
}

fn parse(addr: &str) -> Result<SocketAddr, Errno> {
    addr.parse().map_err(|_| Errno::EINVAL)
}

fn listen(stack: &mut Stack, addr: &str) -> Result<SocketId, Errno> {
    let listener = stack.tcp_socket(Domain::Inet);
    stack.bind(listener, parse(addr)?)?;
    stack.listen(listener, 128)?;
    Ok(listener)
}

fn connect(stack: &mut Stack, listener: SocketId, addr: &str) -> Result<(SocketId, SocketId), Errno> {
    let client = stack.tcp_socket(Domain::Inet);
    match stack.connect(client, parse(addr)?) {
        Err(Errno::EINPROGRESS) => stack.connect(client, parse(addr)?)?,
        other => other?,
    }
    Ok((client, stack.accept(listener)?.0))
}

fn ping(stack: &mut Stack, client: SocketId, server: SocketId) -> Result<(), Errno> {
    let mut buf = [0; 64];
    stack.send(client, &[7; 64])?;
    stack.recv(server, &mut buf, false)?;
    stack.send(server, &buf)?;
    stack.recv(client, &mut buf, false)?;
    Ok(())
}

fn rss_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
