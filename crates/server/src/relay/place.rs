//! Where a relay listens: in a directory that is its user's alone.

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::net::SocketAddrV4;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The socket's path, in a directory that exists.
///
/// # Errors
/// It cannot be made, or is somebody else's: one line.
pub(super) fn socket(far: SocketAddrV4) -> Result<PathBuf, String> {
    let uid = rustix::process::geteuid().as_raw();
    let directory = wire::relay::directory(uid);
    let directory = Path::new(OsStr::from_bytes(&directory));
    let failed = |errno: Errno| format!("{}: {errno}", directory.display());
    match rustix::fs::mkdir(directory, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let found = rustix::fs::lstat(directory).map_err(failed)?;
    let is_directory = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
    let others = Mode::from_raw_mode(found.st_mode).intersects(Mode::RWXG | Mode::RWXO);
    if !is_directory || found.st_uid != uid || others {
        return Err(format!("{}: is not a directory of this user alone; remove it", directory.display()));
    }
    Ok(OsStr::from_bytes(&wire::relay::socket(far.ip().octets(), far.port(), uid)).into())
}
