//! Single calls.

use benches::per_operation;
use std::fs::{File, OpenOptions};
use std::io::{Read, Result, Seek, Write};
use std::process::{Command, Stdio};

/// getppid(2): no descriptor, no path.
pub(crate) fn host_call(_: &str) -> Result<f64> {
    per_operation(100_000, || {
        std::hint::black_box(std::os::unix::process::parent_id());
        Ok(())
    })
}

/// read(2) of one byte of the host's /dev/zero: decided by its descriptor.
pub(crate) fn host_read(_: &str) -> Result<f64> {
    let mut zero = File::open("/dev/zero")?;
    let mut byte = [0];
    per_operation(100_000, || zero.read_exact(&mut byte))
}

/// statx(2) of a file of the host's: decided by its path, which has to be read.
pub(crate) fn host_stat(_: &str) -> Result<f64> {
    let path = std::path::PathBuf::from("/etc/passwd");
    per_operation(100_000, || std::fs::metadata(&path).map(drop))
}

/// lseek(2) on a file in this directory: nothing travels but the numbers.
pub(crate) fn seek(dir: &str) -> Result<f64> {
    let path = format!("{dir}/probe-seek-{}", std::process::id());
    let mut file = File::create(&path)?;
    let figure = per_operation(1_000, || file.stream_position().map(drop));
    std::fs::remove_file(path)?;
    figure
}

/// write(2) + read(2) on a fifo: `DIR,BYTES`.
pub(crate) fn fifo(argument: &str) -> Result<f64> {
    let (dir, bytes) = argument.split_once(',').unwrap_or((argument, "1"));
    let mut data = vec![b'x'; bytes.parse().unwrap_or(1)];
    let path = format!("{dir}/probe-fifo-{}", std::process::id());
    if !Command::new("mkfifo").arg(&path).status()?.success() {
        return Err(std::io::Error::other("mkfifo failed"));
    }
    let mut fifo = OpenOptions::new().read(true).write(true).open(&path)?;
    let figure = per_operation(500, || {
        fifo.write_all(&data)?;
        fifo.read_exact(&mut data)
    });
    std::fs::remove_file(path)?;
    figure
}

/// Starting `true` and waiting for it.
pub(crate) fn spawn(_: &str) -> Result<f64> {
    per_operation(100, || Command::new("/bin/true").stdin(Stdio::null()).status().map(drop))
}

/// A shell that starts `true` so many times, one after the other.
pub(crate) fn shell_loop(count: &str) -> Result<f64> {
    let script = format!("i=0; while [ $i -lt {count} ]; do /bin/true; i=$((i+1)); done");
    per_operation(1, || Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::null()).status().map(drop))
}
