//! Two ends of a network: rump kernels, and iperf3 from one to the other.

use crate::run::{Outcome, capture};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The address of the end that receives.
pub(super) const RECEIVER: &str = "10.219.251.2";
const SECONDS: &str = "4";

/// A server in a directory, ended with it.
pub(super) struct Node {
    process: Child,
    url: String,
}

impl Node {
    /// Starts one with these links, and waits until it serves.
    pub(super) fn start(release: &Path, dir: &Path, name: &str, links: &[String]) -> Outcome<Self> {
        let socket = dir.join(name);
        let url = format!("unix://{}", socket.display());
        let mut command = Command::new(release.join("rump_server"));
        links.iter().for_each(|link| {
            command.args(["-n", link]);
        });
        let process = command.arg("-s").arg(&url).stdin(Stdio::null()).spawn();
        let process = process.map_err(|error| format!("cannot start rump_server: {error}"))?;
        let node = Self { process, url };
        let end = Instant::now() + Duration::from_secs(10);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if Instant::now() > end {
                return Err("rump_server does not serve its socket".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(node)
    }

    /// A program that is hijacked by it.
    pub(super) fn program(&self, release: &Path, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LD_PRELOAD", release.join("librumphijack.so")).env("RUMP_SERVER", &self.url);
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// From the end 0 to the end 1; what has arrived, in MB/s.
pub(super) fn iperf3(program: impl Fn(usize) -> Command) -> Outcome<f64> {
    let mut server = program(1);
    server.args(["-s", "-1"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut server = server.spawn().map_err(|error| format!("cannot start iperf3: {error}"))?;
    std::thread::sleep(Duration::from_millis(1000));
    let result =
        capture(program(0).args(["-c", RECEIVER, "-t", SECONDS, "-J", "--connect-timeout", "10000"]));
    let _ = server.kill();
    let _ = server.wait();
    let (_, printed) = result?;
    let report: serde_json::Value =
        serde_json::from_str(&printed).map_err(|_| format!("iperf3: {printed}"))?;
    let bits = report["end"]["sum_received"]["bits_per_second"].as_f64();
    bits.map(|bits| bits / 8e6).ok_or_else(|| format!("iperf3: {}", report["error"]))
}
