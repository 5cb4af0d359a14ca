//! Small files.

use crate::per_operation;
use std::io::Result;

/// Create, write 4 KiB, read back, unlink, in this directory; files per second.
pub(crate) fn cycle(dir: &str) -> Result<f64> {
    let data = [7; 4096];
    let mut number = 0;
    let each = per_operation(200, || {
        number += 1;
        let path = format!("{dir}/probe-file-{}-{number}", std::process::id());
        std::fs::write(&path, data)?;
        if std::fs::read(&path)? != data {
            return Err(std::io::Error::other("what was read is not what was written"));
        }
        std::fs::remove_file(&path)
    })?;
    Ok(1e9 / each)
}
