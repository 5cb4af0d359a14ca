//! `cargo xtask test`.

use crate::run::{Outcome, cargo, run};
use crate::{build, packages};
use std::path::Path;

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
    let before = Path::new(PREFIX).exists();
    run(cargo().args(["test", "--release", "--package", END_TO_END]))?;
    // Root could make it by a call that missed the rump kernel.
    match Path::new(PREFIX).exists() && !before {
        true => Err(format!("the tests have left {PREFIX} on the host")),
        false => Ok(()),
    }
}

const END_TO_END: &str = "e2e";

/// Where the rump kernel's tree is for hijacked programs.
const PREFIX: &str = "/rump";
