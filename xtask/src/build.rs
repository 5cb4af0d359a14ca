//! Building what users install.

use crate::run::{Outcome, cargo, root, run};
use std::path::PathBuf;

/// The installed files, in the order of README.md.
pub(crate) const ARTIFACTS: [&str; 3] = ["librumphijack.so", "rump_server", "rump"];

/// Builds the release artifacts and answers the directory they are in.
///
/// # Errors
/// The build's.
pub(crate) fn release() -> Outcome<PathBuf> {
    run(cargo().args(["build", "--release"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release"))
}
