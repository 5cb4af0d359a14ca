//! Small files.

use benches::per_operation;
use std::io::Result;
use std::os::unix::fs::FileExt;

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

/// Reads of 4 KiB at random places of this file; nanoseconds each.
pub(crate) fn random_reads(path: &str) -> Result<f64> {
    const BLOCK: u64 = 4096;
    let file = std::fs::File::open(path)?;
    let blocks = (file.metadata()?.len() / BLOCK).max(1);
    let (mut into, mut state) = ([0; BLOCK as usize], 1_u64);
    per_operation(5000, || {
        // Knuth's MMIX generator: its upper bits are the random ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        file.read_exact_at(&mut into, (state >> 33) % blocks * BLOCK)
    })
}
