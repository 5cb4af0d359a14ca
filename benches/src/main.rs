//! `probe NAME [ARGUMENT]`: measures with plain standard-library calls.
//!
//! The same program runs natively and under the library, so it knows of neither, and holds nothing of either; `cargo xtask bench` divides
//! the two numbers.
#![forbid(unsafe_code)]

mod calls;
mod files;
mod tcp;

use benches::{Probe, measure};
use std::process::ExitCode;

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
];

fn main() -> ExitCode {
    measure(PROBES)
}
