//! Writing to standard output.

use std::io::{self, Write};

/// Writes a text. A reader who has had enough (`rump coverage | head`) is no failure.
pub(crate) fn write(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}
