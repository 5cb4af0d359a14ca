//! Bytes as a drive.

use image::{Disk, HostFile};
use rustix::fs::{MemfdFlags, memfd_create};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

/// A drive that holds these bytes.
pub fn of(bytes: &[u8]) -> Option<Disk> {
    let mut memory = std::fs::File::from(memfd_create("image", MemfdFlags::CLOEXEC).ok()?);
    memory.write_all(bytes).ok()?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    let file = HostFile::open(&path, false, false).ok()?;
    Some(Disk::new(Arc::new(file), 0, bytes.len() as u64))
}
