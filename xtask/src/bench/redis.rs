//! A whole program of two ends: redis-benchmark(1) against redis-server(1), natively and with both on one rump kernel.

use super::server::Server;
use super::{Row, median};
use crate::run::{Outcome, capture};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clients at once.
const CLIENTS: &[(&str, &str)] = &[("redis GET, 1 client", "1"), ("redis GET, 20 clients", "20")];
const REQUESTS: &str = "30000";

pub(super) fn figures(release: &Path, runs: usize) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, clients) in CLIENTS {
        eprintln!("{what} ...");
        let (mut native, mut hijacked) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            native.push(Redis::start(None)?.gets(clients)?);
            let server = Server::start(release, false)?;
            let library = release.join("librumphijack.so");
            hijacked.push(Redis::start(Some((&library, server.url())))?.gets(clients)?);
        }
        rows.push(Row {
            what,
            unit: "1/s",
            native: Some(median(native)),
            hijacked: median(hijacked),
            target: "",
        });
    }
    Ok(rows)
}

/// A redis-server, ended with this value.
struct Redis<'a> {
    process: Child,
    port: String,
    /// The library, and the rump kernel's URL.
    rump: Option<(&'a Path, String)>,
}

impl<'a> Redis<'a> {
    fn start(rump: Option<(&'a Path, String)>) -> Outcome<Self> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("no port: {error}"))?.port().to_string();
        let mut command = program("redis-server", rump.as_ref());
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let process = process.map_err(|error| format!("cannot start redis-server: {error}"))?;
        let redis = Self { process, port, rump };
        let end = Instant::now() + Duration::from_secs(10);
        while !redis.answers()? {
            if Instant::now() > end {
                return Err("redis-server does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    fn answers(&self) -> Outcome<bool> {
        let mut ping = program("redis-cli", self.rump.as_ref());
        let (success, printed) = capture(ping.args(["-p", &self.port, "ping"]).stderr(Stdio::null()))?;
        Ok(success && printed.trim() == "PONG")
    }

    /// Requests per second.
    fn gets(&self, clients: &str) -> Outcome<f64> {
        let mut benchmark = program("redis-benchmark", self.rump.as_ref());
        benchmark.args(["-p", &self.port, "-t", "get", "-n", REQUESTS, "-c", clients, "--csv"]);
        let (_, printed) = capture(&mut benchmark)?;
        // "GET","72115.38",…
        let line = printed.lines().find(|line| line.starts_with("\"GET\""));
        let figure = line.and_then(|line| line.split(',').nth(1)?.trim_matches('"').parse().ok());
        figure.ok_or_else(|| format!("redis-benchmark: {printed}"))
    }
}

impl Drop for Redis<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program(name: &str, rump: Option<&(&Path, String)>) -> Command {
    let mut command = Command::new(name);
    if let Some((library, url)) = rump {
        command.env("LD_PRELOAD", library).env("RUMP_SERVER", url);
    }
    command
}
