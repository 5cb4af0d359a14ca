//! `cargo xtask`: what is done with this repository. `cargo xtask --help` lists it.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod ci;
mod demo;
mod docs;
mod header;
mod house;
mod packages;
mod run;
mod syscalls;
mod sysctls;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, show, test and measure rumphijack",
    disable_version_flag = true
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build, then show an unmodified web server and curl on a TCP/IP stack and a file tree of their own.
    Demo,
    /// Install what the tests need (as root; else say what is missing), build, and run all tests.
    Test {
        /// Passed on to `cargo test`, e.g. a package with -p or a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Everything that must hold before a change lands: format, lints, licences, documentation, tests.
    Ci,
    /// What `ci` checks besides the tests, in a minute.
    Check,
    /// Measure against the host and print the ratios.
    Bench {
        /// Only this; the document's other sections stay as they are.
        part: Option<bench::Part>,
        /// Runs of each measurement; the median counts.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Only measurements whose description contains this.
        #[arg(long)]
        only: Option<String>,
        /// Write docs/BENCHMARKS.md too.
        #[arg(long)]
        write: bool,
    },
    /// Write the generated documents (docs/SYSCALLS.md, docs/SYSCTL.md, include/rump/rump_syscalls.h), or with --check say whether they are stale.
    Docs {
        /// Change nothing; fail if a document is stale.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Demo => demo::demo(),
        Task::Test { arguments } => test::test(&arguments),
        Task::Ci => ci::ci(),
        Task::Check => ci::check(),
        Task::Bench { part, runs, only, write } => bench::bench(part, runs.max(1), only.as_deref(), write),
        Task::Docs { check } => docs::docs(check),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
