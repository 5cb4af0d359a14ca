//! `cargo xtask docs`: the generated documents.

use crate::run::{Outcome, root};
use crate::{header, syscalls, sysctls};

/// Where a document is, and what makes it.
type Document = (&'static str, fn() -> String);

const DOCUMENTS: &[Document] = &[
    ("docs/SYSCALLS.md", syscalls::markdown),
    ("docs/SYSCTL.md", sysctls::markdown),
    ("include/rump/rump_syscalls.h", header::rump_syscalls),
];

/// Writes the generated documents, or with `check` compares them.
///
/// # Errors
/// A document is stale (`check`), or cannot be written.
pub(crate) fn docs(check: bool) -> Outcome {
    DOCUMENTS.iter().try_for_each(|(path, text)| document(path, &text(), check))
}

fn document(path: &str, text: &str, check: bool) -> Outcome {
    let path = root().join(path);
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
