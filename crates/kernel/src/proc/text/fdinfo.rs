//! What there is to say of a descriptor (proc_pid_fdinfo(5)).

use crate::Kernel;
use crate::process::Process;
use abi::Errno;
use abi::raw::general::O_CLOEXEC;

/// The text about a process's descriptor. Of a file that is in no tree the mount is 0: there is none that could be asked about.
///
/// # Errors
/// `ENOENT`: it has been closed.
pub(crate) fn fdinfo(k: &Kernel, process: &Process, fd: u32) -> Result<Vec<u8>, Errno> {
    let found = process.fds.get(fd).and_then(|id| k.files.get(id));
    let file = found.map_err(|_| Errno::ENOENT)?;
    let cloexec = if process.fds.cloexec(fd) == Ok(true) { O_CLOEXEC } else { 0 };
    let place = file.ops.location();
    let mount = place.map_or(0, vfs::mount_id);
    let inode = place.map_or(file.inode.get(), |at| at.ino());
    let (offset, flags) = (file.offset.get(), file.flags.get() | cloexec);
    Ok(format!("pos:\t{offset}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{inode}\n").into_bytes())
}
