//! `cargo xtask bench`: figures as ratios against the host, from the same run.

mod bus;
mod ends;
mod images;
mod measures;
mod path;
mod redis;
mod server;
mod tap;
mod transport;

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

/// What can be measured by itself; each is a section of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Calls, sockets, and the server by itself.
    Calls,
    /// File systems on disk images, against the host's and FUSE's.
    Images,
}

const PARTS: [(Part, &str); 2] = [(Part::Calls, "Calls and sockets"), (Part::Images, "Images")];

/// Measures everything, or one part of it, `runs` times, alternating native and hijacked, and prints the medians.
///
/// # Errors
/// A probe that failed.
pub(crate) fn bench(part: Option<Part>, runs: usize, only: Option<&str>, write: bool) -> Outcome {
    let release = build::release()?;
    run(cargo().args(["build", "--release", "--package", "benches"]))?;
    for (measured, title) in PARTS.iter().filter(|(measured, _)| part.is_none_or(|part| part == *measured)) {
        let report = match measured {
            Part::Calls => calls(&release, runs, only)?,
            Part::Images => images::report(&release, runs.min(3), only)?,
        };
        let Some(report) = report else { continue };
        println!("{report}");
        if write {
            let path = root().join("docs/BENCHMARKS.md");
            let old = std::fs::read_to_string(&path).unwrap_or_default();
            std::fs::write(&path, document(&old, title, &report))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn calls(release: &Path, runs: usize, only: Option<&str>) -> Outcome<Option<String>> {
    let bench = Bench { release: release.to_owned(), runs };
    let mut rows = Vec::new();
    for measure in PROBES.iter().filter(|measure| only.is_none_or(|part| measure.what.contains(part))) {
        eprintln!("{} ...", measure.what);
        rows.push(bench.measure(measure)?);
    }
    if only.is_none_or(|part| transport::WHAT.contains(part)) {
        rows.push(transport::figures(&bench.release, runs)?);
    }
    if only.is_none_or(|part| "iperf3".contains(part)) {
        rows.extend(path::figures(&bench.release, runs.min(3))?);
    }
    if only.is_none_or(|part| "iperf3 over a bus".contains(part)) {
        rows.extend(bus::figures(&bench.release, runs.min(3))?);
    }
    if only.is_none_or(|part| "iperf3 over a tap".contains(part)) {
        rows.extend(tap::figures(&bench.release, runs.min(3))?);
    }
    if only.is_none_or(|part| "redis".contains(part)) {
        rows.extend(redis::figures(&bench.release, runs.min(5))?);
    }
    if only.is_none() {
        rows.extend(server::figures(&bench.release, runs)?);
    }
    Ok((!rows.is_empty()).then(|| report(&rows, runs)))
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

/// The document with a new section of this title; the others stay as they were.
fn document(old: &str, title: &str, report: &str) -> String {
    let machine = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once(':').map_or(line.clone(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench --write`. Ratios compare the same program in the same run, natively and \
         hijacked; absolute figures are of this machine alone:\n{cores} cores of {}, Linux {}.\n",
        machine("/proc/cpuinfo", "model name"),
        std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    );
    for (_, section) in PARTS {
        let heading = format!("\n## {section}\n\n");
        let kept = old.split_once(&heading).map(|(_, rest)| rest.split("\n## ").next().unwrap_or_default());
        if let Some(body) = if section == title { Some(report) } else { kept } {
            text.push_str(&heading);
            text.push_str(body.trim_end());
            text.push('\n');
        }
    }
    text
}
