//! `cargo xtask test`.

use crate::run::{Outcome, cargo, run};
use crate::{build, packages};

/// Installs what is missing, then runs all tests, or those that `arguments` (of `cargo test`) choose.
///
/// # Errors
/// What failed.
pub(crate) fn test(arguments: &[String]) -> Outcome {
    packages::ensure()?;
    if !arguments.is_empty() {
        return run(cargo().arg("test").args(arguments));
    }
    run(cargo().args(["test", "--workspace", "--exclude", END_TO_END]))?;
    // Whole programs run under what users install: the release build.
    build::release()?;
    run(cargo().args(["test", "--release", "--package", END_TO_END]))
}

const END_TO_END: &str = "e2e";
