//! `cargo xtask docs`: the generated documents.

use crate::run::{Outcome, root};
use crate::syscalls;

/// Writes the generated documents, or with `check` compares them.
///
/// # Errors
/// A document is stale (`check`), or cannot be written.
pub(crate) fn docs(check: bool) -> Outcome {
    let path = root().join("docs/SYSCALLS.md");
    let text = syscalls::markdown();
    if check {
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        return if found == text {
            Ok(())
        } else {
            Err(format!("{} is stale: run `cargo xtask docs`", path.display()))
        };
    }
    std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
