//! A call that goes by the socket alone, against what two processes need for any message and its answer.

use super::server::Server;
use super::{Row, median, on_core};
use crate::run::{Outcome, capture};
use std::path::Path;

pub(super) const WHAT: &str =
    "null rump call by the socket alone (host: a bare exchange of two processes), one core";

pub(super) fn figures(release: &Path, runs: usize) -> Outcome<Row> {
    eprintln!("{WHAT} ...");
    let (mut bare, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        bare.push(probe(release, "echo", "")?);
        calls.push(probe(release, "null-call", &Server::start(release, true)?.url())?);
    }
    let (native, hijacked) = (Some(median(bare)), median(calls));
    Ok(Row { what: WHAT, unit: "ns", native, hijacked, target: "≤ 6,500 ns, or 1.2" })
}

fn probe(release: &Path, name: &str, url: &str) -> Outcome<f64> {
    let mut command = on_core(true, &release.join("transport"));
    let (success, printed) = capture(command.arg(name).env("RUMP_SERVER", url))?;
    let figure = printed.trim().parse().ok().filter(|_| success);
    figure.ok_or_else(|| format!("{WHAT}: {}", printed.trim()))
}
