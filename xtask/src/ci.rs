//! `cargo xtask ci`: one command that says whether a change may land.

use crate::run::{Outcome, capture, cargo, run};
use crate::{docs, house, test};
use std::time::Instant;

/// A check: its name and what it runs.
type Check = (&'static str, fn() -> Outcome);

const CHECKS: &[Check] = &[
    ("format", || run(cargo().args(["fmt", "--all", "--check"]))),
    ("rules of the house", house::check),
    ("generated documents", || docs::docs(true)),
    ("lints", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
    }),
    ("documentation", || {
        run(cargo().env("RUSTDOCFLAGS", "-D warnings").args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--quiet",
        ]))
    }),
    ("licences and sources", deny),
];

/// Runs all checks, the quick ones first, then the tests, and stops at the first that fails.
///
/// # Errors
/// The first check that failed.
pub(crate) fn ci() -> Outcome {
    check()?;
    perform("tests", || test::test(&[]))
}

/// Runs all checks but the tests.
///
/// # Errors
/// The first check that failed.
pub(crate) fn check() -> Outcome {
    CHECKS.iter().try_for_each(|(name, check)| perform(name, *check))
}

fn perform(name: &str, check: fn() -> Outcome) -> Outcome {
    println!("== {name}");
    let start = Instant::now();
    check().map_err(|error| format!("{name}: {error}"))?;
    println!("== {name}: good after {} s", start.elapsed().as_secs());
    Ok(())
}

/// cargo-deny, installed when it is missing.
fn deny() -> Outcome {
    let installed = capture(cargo().args(["deny", "--version"])).is_ok_and(|(success, _)| success);
    if !installed {
        run(cargo().args(["install", "--locked", "--quiet", "cargo-deny@0.20.2"]))?;
    }
    // Not `advisories`: their database is not in a package registry. See CONTRIBUTING.md.
    run(cargo().args(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]))
}
