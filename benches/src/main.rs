//! `probe NAME [ARGUMENT]`: measures one thing with plain standard-library calls and prints one number.
//!
//! The same program runs natively and under the library, so it knows of neither; `cargo xtask bench` divides the two
//! numbers. All times are nanoseconds per operation, all rates per second.
#![forbid(unsafe_code)]

mod calls;
mod files;
mod tcp;
mod transport;

use std::io::Result;
use std::process::ExitCode;

/// Measures with an argument.
type Probe = fn(&str) -> Result<f64>;

/// What can be measured.
const PROBES: &[(&str, Probe)] = &[
    ("host-call", calls::host_call),
    ("host-read", calls::host_read),
    ("host-stat", calls::host_stat),
    ("seek", calls::seek),
    ("fifo", calls::fifo),
    ("spawn", calls::spawn),
    ("shell-loop", calls::shell_loop),
    ("tcp-stream", tcp::stream),
    ("tcp-round-trip", tcp::round_trip),
    ("tcp-connections", tcp::connections),
    ("files", files::cycle),
    ("random-reads", files::random_reads),
    ("echo", transport::echo),
    ("echo-peer", transport::echo_peer),
    ("null-call", transport::null_call),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let argument = arguments.next().unwrap_or_default();
    let Some((_, probe)) = PROBES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = PROBES.iter().map(|(known, _)| *known).collect();
        eprintln!("probe: '{name}' is none of {}", known.join(", "));
        return ExitCode::FAILURE;
    };
    match probe(&argument) {
        Ok(figure) => {
            println!("{figure:.1}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("probe {name} {argument}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Nanoseconds per run of `operation`, over at least `least` runs and a fifth of a second.
pub(crate) fn per_operation(least: u32, mut operation: impl FnMut() -> Result<()>) -> Result<f64> {
    let enough = std::time::Duration::from_millis(200);
    for _ in 0..least / 10 {
        operation()?;
    }
    let start = std::time::Instant::now();
    let mut runs = 0_u32;
    while runs < least || start.elapsed() < enough {
        for _ in 0..least {
            operation()?;
        }
        runs += least;
    }
    #[allow(clippy::cast_precision_loss, reason = "a figure to print")]
    Ok(start.elapsed().as_nanos() as f64 / f64::from(runs))
}
