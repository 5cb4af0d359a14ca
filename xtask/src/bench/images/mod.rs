//! Disk images: the same commands on the host's file systems, on FUSE's and on the rump kernel's, in the same run.

mod jobs;
mod material;
mod places;

use super::median;
use crate::run::Outcome;
use jobs::{JOBS, Job};
use material::Material;
use places::{PLACES, Place, Side};
use std::fmt::Write as _;
use std::path::Path;

/// A line of the report: medians, in the job's unit; none: that side is not to be had here.
struct Row {
    what: String,
    unit: &'static str,
    host: Option<f64>,
    fuse: Option<f64>,
    rump: f64,
}

/// Measures every job wherever it makes sense, and answers the section of the document.
///
/// None: `only` names nothing of it.
///
/// # Errors
/// A command that failed.
pub(super) fn report(release: &Path, runs: usize, only: Option<&str>) -> Outcome<Option<String>> {
    let jobs = PLACES.iter().flat_map(|place| JOBS.iter().map(move |job| (place, job)));
    let named = jobs.filter(|(place, job)| !job.writes || place.writable);
    let named = named.map(|(place, job)| (format!("{}, {}", place.name, job.name), place, job));
    let chosen: Vec<_> = named.filter(|(what, ..)| only.is_none_or(|part| what.contains(part))).collect();
    if chosen.is_empty() {
        return Ok(None);
    }
    let material = Material::make()?;
    let mut rows = Vec::new();
    for (what, place, job) in chosen {
        eprintln!("{what} ...");
        rows.push(row(release, &material, place, job, what, runs)?);
    }
    Ok(Some(text(&rows, runs)))
}

fn row(
    release: &Path,
    material: &Material,
    place: &Place,
    job: &Job,
    what: String,
    runs: usize,
) -> Outcome<Row> {
    let sides = [Side::Host, Side::Fuse, Side::Rump].map(|side| (side, Vec::with_capacity(runs)));
    let mut sides = sides;
    for _ in 0..runs {
        for (side, figures) in &mut sides {
            if let Some(mounted) = place.mount(*side, release, material)? {
                figures.push(job.measure(&mounted, material)?);
            }
        }
    }
    let [host, fuse, rump] = sides.map(|(_, figures)| (!figures.is_empty()).then(|| median(figures)));
    Ok(Row { what, unit: job.unit, host, fuse, rump: rump.unwrap_or(f64::NAN) })
}

fn text(rows: &[Row], runs: usize) -> String {
    let mut text = format!(
        "Less is better; medians of {runs} runs each, every one behind a fresh mount. To be reached: less than FUSE (fuse2fs, \
         squashfuse) in all, and at most twice the host (its tmpfs, and its loop mounts of the same images). A dash: not to be \
         had on this machine (no root, no /dev/loop0, no /dev/fuse), or there is no such program.\n\n\
         | what | unit | host | FUSE | rump | rump/host | rump/FUSE |\n|---|---|---:|---:|---:|---:|---:|\n"
    );
    let dash = || String::from("–");
    for row in rows {
        let figure = |figure: Option<f64>| figure.map_or_else(dash, |figure| format!("{figure:.1}"));
        let ratio = |than: Option<f64>| than.map_or_else(dash, |than| format!("{:.2}", row.rump / than));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.1} | {} | {} |",
            row.what,
            row.unit,
            figure(row.host),
            figure(row.fuse),
            row.rump,
            ratio(row.host),
            ratio(row.fuse)
        );
    }
    text
}
