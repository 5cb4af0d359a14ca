//! The server by itself: how fast it starts and what it costs while idle.

use super::{Row, median, on_core};
use crate::run::{Outcome, capture, run};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server of one measurement, ended with it.
pub(super) struct Server {
    dir: TempDir,
    process: Child,
}

impl Server {
    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    /// It does not serve within five seconds.
    pub(super) fn start(release: &Path, pinned: bool) -> Outcome<Self> {
        Self::with(release, pinned, &[])
    }

    /// As [`Server::start`], with arguments.
    ///
    /// # Errors
    /// It does not serve within five seconds.
    pub(super) fn with(release: &Path, pinned: bool, args: &[&str]) -> Outcome<Self> {
        let dir = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let socket = dir.path().join("s");
        let mut command = on_core(pinned, &release.join("rump_server"));
        command.arg("-s").args(args).arg(format!("unix://{}", socket.display())).stdin(Stdio::null());
        let process = command.spawn().map_err(|error| format!("cannot start rump_server: {error}"))?;
        let server = Self { dir, process };
        let end = Instant::now() + Duration::from_secs(5);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if Instant::now() > end {
                return Err("rump_server does not serve its socket".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.dir.path().join("s").display())
    }

    fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.process.id())).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Start time, idle memory, idle processor time.
pub(super) fn figures(release: &Path, runs: usize) -> Outcome<Vec<Row>> {
    let mut starts = Vec::new();
    for _ in 0..runs {
        starts.push(start_ms(release)?);
    }
    let server = Server::start(release, false)?;
    let before = cpu_ticks(&server);
    std::thread::sleep(Duration::from_secs(3));
    let ticks = cpu_ticks(&server) - before;
    let rss = rss_mib(&server);
    let row = |what, unit, hijacked, target| Row { what, unit, native: None, hijacked, target };
    Ok(vec![
        row("server start, until it serves and has daemonised", "ms", median(starts), "≤ 20 ms"),
        row("server, idle: resident memory", "MiB", rss, "≤ 12 MiB"),
        row("server, idle for 3 s: processor time", "ticks", ticks, "0"),
    ])
}

/// `rump_server URL` returns once the URL is being served.
fn start_ms(release: &Path) -> Outcome<f64> {
    let dir = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    let url = format!("unix://{}", dir.path().join("s").display());
    let start = Instant::now();
    run(Command::new(release.join("rump_server")).arg(&url))?;
    let figure = start.elapsed().as_secs_f64() * 1e3;
    capture(Command::new(release.join("rump")).arg("halt").env("RUMP_SERVER", &url))?;
    Ok(figure)
}

/// `utime` + `stime`, fields 14 and 15 of /proc/PID/stat (proc(5)); the name in field 2 has no blank here.
fn cpu_ticks(server: &Server) -> f64 {
    let stat = server.proc_file("stat");
    stat.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum()
}

fn rss_mib(server: &Server) -> f64 {
    let status = server.proc_file("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
