//! `cargo xtask test`.

use crate::run::{Outcome, cargo, run};
use crate::{build, packages};

/// Installs, builds, tests.
///
/// # Errors
/// What failed.
pub(crate) fn test(arguments: &[String]) -> Outcome {
    packages::ensure()?;
    // The end-to-end tests run the installed files, not their own copies of the crates.
    build::release()?;
    let mut command = cargo();
    command.arg("test");
    if !arguments.iter().any(|argument| argument == "-p" || argument == "--package") {
        command.arg("--workspace");
    }
    run(command.args(arguments))
}
