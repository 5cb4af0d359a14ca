//! File handles: getfh(2), fhopen(2), fhstat(2), fhstatvfs(2). A `fhandle_t` is Linux's type and bytes of a handle, one behind the other.

use super::statvfs::Statvfs;
use super::{Calls, Open, mounts};
use abi::raw::general::{AT_FDCWD, AT_SYMLINK_FOLLOW, O_CLOEXEC, O_PATH};
use abi::{Errno, nr};

/// `MAX_HANDLE_SZ`.
const BYTES_MAX: usize = 128;
/// `handle_bytes` and `handle_type` of `struct file_handle`.
const HEAD: usize = 8;
/// `handle_type` is part of a `fhandle_t`.
const TYPE: usize = 4;

/// `struct file_handle`.
struct FileHandle([u8; HEAD + BYTES_MAX]);

impl FileHandle {
    /// The handle that a program gives.
    fn given(fhandle: &[u8]) -> Result<Self, Errno> {
        let len = fhandle
            .len()
            .checked_sub(TYPE)
            .filter(|len| (1..=BYTES_MAX).contains(len))
            .ok_or(Errno::EINVAL)?;
        let mut bytes = [0; HEAD + BYTES_MAX];
        bytes[..4].copy_from_slice(&u32::try_from(len).map_err(|_| Errno::EINVAL)?.to_ne_bytes());
        bytes[4..4 + fhandle.len()].copy_from_slice(fhandle);
        Ok(Self(bytes))
    }

    fn open<'a, C: Calls>(&self, calls: &'a C, flags: u32) -> Result<Open<'a, C>, Errno> {
        let args = [AT_FDCWD as u64, self.0.as_ptr() as u64, flags.into(), 0, 0, 0];
        Ok(Open { calls, fd: calls.call(nr::OPEN_BY_HANDLE_AT, args)? })
    }
}

/// The handle of what is at the address `path`. Answers how long it is; it is put into `out` if there is room.
///
/// # Errors
/// As name_to_handle_at(2).
pub fn getfh<C: Calls>(calls: &C, path: u64, out: &mut [u8]) -> Result<usize, Errno> {
    let mut handle = [0; HEAD + BYTES_MAX];
    handle[..4].copy_from_slice(&(BYTES_MAX as u32).to_ne_bytes());
    let mut mount = [0u8; 4];
    let (handle_at, mount_at) = (handle.as_mut_ptr() as u64, mount.as_mut_ptr() as u64);
    let args = [AT_FDCWD as u64, path, handle_at, mount_at, AT_SYMLINK_FOLLOW.into(), 0];
    calls.call(nr::NAME_TO_HANDLE_AT, args)?;
    let len = handle.first_chunk::<4>().map_or(0, |len| u32::from_ne_bytes(*len) as usize).min(BYTES_MAX);
    let fhandle = &handle[4..HEAD + len];
    if let Some(room) = out.get_mut(..fhandle.len()) {
        room.copy_from_slice(fhandle);
    }
    Ok(fhandle.len())
}

/// fhopen(2) with Linux's `O_*` flags.
///
/// # Errors
/// As open_by_handle_at(2).
pub fn fhopen<C: Calls>(calls: &C, fhandle: &[u8], flags: u32) -> Result<u64, Errno> {
    let opened = FileHandle::given(fhandle)?.open(calls, flags)?;
    let fd = opened.fd;
    core::mem::forget(opened);
    Ok(fd)
}

/// fhstat(2): Linux's `struct stat` is put at the address `out`.
///
/// # Errors
/// As open_by_handle_at(2) and fstat(2).
pub fn fhstat<C: Calls>(calls: &C, fhandle: &[u8], out: u64) -> Result<(), Errno> {
    let opened = FileHandle::given(fhandle)?.open(calls, O_PATH | O_CLOEXEC)?;
    calls.call(nr::FSTAT, [opened.fd, out, 0, 0, 0, 0]).map(drop)
}

/// fhstatvfs1(2).
///
/// # Errors
/// As open_by_handle_at(2) and fstatfs(2).
pub fn fhstatvfs<C: Calls>(calls: &C, fhandle: &[u8], out: &mut Statvfs) -> Result<(), Errno> {
    let opened = FileHandle::given(fhandle)?.open(calls, O_PATH | O_CLOEXEC)?;
    mounts::of_descriptor(calls, opened.fd, out)
}
