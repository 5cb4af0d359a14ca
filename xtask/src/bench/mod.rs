//! `cargo xtask bench`: figures as ratios against the host, from the same run.

mod measures;
mod path;
mod redis;
mod server;

use crate::run::{Outcome, cargo, root, run};
use crate::{build, run as command};
use measures::{Measure, PROBES};
use server::Server;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one line of the report says.
struct Row {
    what: &'static str,
    unit: &'static str,
    native: Option<f64>,
    hijacked: f64,
    target: &'static str,
}

/// Measures everything `runs` times, alternating native and hijacked, and prints the medians.
///
/// # Errors
/// A probe that failed.
pub(crate) fn bench(runs: usize, only: Option<&str>, write: bool) -> Outcome {
    let release = build::release()?;
    run(cargo().args(["build", "--release", "--package", "benches"]))?;
    let bench = Bench { release, runs };
    let mut rows = Vec::new();
    for measure in PROBES.iter().filter(|measure| only.is_none_or(|part| measure.what.contains(part))) {
        eprintln!("{} ...", measure.what);
        rows.push(bench.measure(measure)?);
    }
    if only.is_none_or(|part| "iperf3".contains(part)) {
        rows.extend(path::figures(&bench.release, runs.min(3))?);
    }
    if only.is_none_or(|part| "redis".contains(part)) {
        rows.extend(redis::figures(&bench.release, runs.min(5))?);
    }
    if only.is_none() {
        rows.extend(server::figures(&bench.release, runs)?);
    }
    let report = report(&rows, runs);
    print!("{report}");
    if write {
        let path = root().join("docs/BENCHMARKS.md");
        std::fs::write(&path, document(&report)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

struct Bench {
    release: PathBuf,
    runs: usize,
}

impl Bench {
    fn measure(&self, measure: &Measure) -> Outcome<Row> {
        let host_dir = tempfile::tempdir_in("/dev/shm").map_err(|error| format!("/dev/shm: {error}"))?;
        let native_argument = measure.argument.replace("DIR", &host_dir.path().to_string_lossy());
        let hijacked_argument = measure.argument.replace("DIR", "/rump/tmp");
        let (mut native, mut hijacked) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            native.push(self.probe(measure, &native_argument, None)?);
            let server = Server::start(&self.release, measure.pinned)?;
            hijacked.push(self.probe(measure, &hijacked_argument, Some(&server))?);
        }
        let (what, unit, target) = (measure.what, measure.unit, measure.target);
        Ok(Row { what, unit, native: Some(median(native)), hijacked: median(hijacked), target })
    }

    fn probe(&self, measure: &Measure, argument: &str, server: Option<&Server>) -> Outcome<f64> {
        let mut command = on_core(measure.pinned, &self.release.join("probe"));
        command.args([measure.probe, argument]);
        if let Some(server) = server {
            command.env("LD_PRELOAD", self.release.join("librumphijack.so")).env("RUMP_SERVER", server.url());
        }
        let (success, printed) = command::capture(&mut command)?;
        let figure = printed.trim().parse().ok().filter(|_| success);
        figure.ok_or_else(|| format!("{}: {}", measure.what, printed.trim()))
    }
}

/// A command, on the first core alone where `pinned`.
fn on_core(pinned: bool, program: &Path) -> Command {
    if !pinned {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn report(rows: &[Row], runs: usize) -> String {
    let mut text = format!("Medians of {runs} runs each.\n\n");
    text.push_str("| what | unit | host | rump | rump/host | target |\n|---|---|---:|---:|---:|---|\n");
    for row in rows {
        let native = row.native.map_or(String::from("–"), |figure| format!("{figure:.1}"));
        let ratio = row.native.map_or(String::from("–"), |figure| format!("{:.2}", row.hijacked / figure));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {native} | {:.1} | {ratio} | {} |",
            row.what, row.unit, row.hijacked, row.target
        );
    }
    text
}

fn document(report: &str) -> String {
    let machine = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once(':').map_or(line.clone(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench --write`. Ratios compare the same program in the same run, natively and \
         hijacked; absolute figures are of this machine alone:\n{cores} cores of {}, Linux {}.\n\n{report}",
        machine("/proc/cpuinfo", "model name"),
        std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    )
}
