//! Site lists in the user's cache directory: `$XDG_CACHE_HOME/rumphijack/BUILD-ID.sites`, else below `$HOME/.cache`.

use crate::image_unsafe::Image;
use abi::raw::general::{O_CLOEXEC, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY};
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;
use host::Fd;
use sitelist::BuildId;

/// Longer than any list of sites.
const SIZE_MAX: usize = 4 << 20;

/// The directory, if the environment names one.
pub(crate) fn directory(image: Image) -> Option<Vec<u8>> {
    let absolute = |path: &&[u8]| path.starts_with(b"/");
    let base = match image.variable(b"XDG_CACHE_HOME").filter(absolute) {
        Some(cache) => cache.to_vec(),
        None => [image.variable(b"HOME").filter(absolute)?, b"/.cache"].concat(),
    };
    Some([base.as_slice(), b"/rumphijack"].concat())
}

/// Where an object's list is.
fn path(directory: &[u8], id: BuildId) -> Vec<u8> {
    [directory, b"/", id.hex().as_slice(), b".sites\0"].concat()
}

/// The list as it was kept.
pub(crate) fn read(directory: &[u8], id: BuildId) -> Option<Vec<u8>> {
    read_file(&path(directory, id))
}

/// The bytes of the file at this path, which ends in NUL, if they are not too many.
pub(crate) fn read_file(path: &[u8]) -> Option<Vec<u8>> {
    let file = open(path, O_RDONLY | O_CLOEXEC).ok()?;
    let mut bytes = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        match host::read(file.number(), bytes.get_mut(filled..)?).ok()? {
            0 => break,
            read => filled += read,
        }
        if filled == bytes.len() {
            if filled >= SIZE_MAX {
                return None;
            }
            bytes.resize(filled * 2, 0);
        }
    }
    bytes.truncate(filled);
    Some(bytes)
}

/// Keeps a list for the next program. It is whole or not there at all.
///
/// # Errors
/// The host's; there is no cache then, which costs time only.
pub(crate) fn write(directory: &[u8], id: BuildId, bytes: &[u8]) -> Result<(), Errno> {
    let path = path(directory, id);
    let partial =
        [directory, b"/.", id.hex().as_slice(), b".", &host::getpid().to_ne_bytes().map(letter), b"\0"]
            .concat();
    make_directories(directory);
    let file = open(&partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC)?;
    let whole = host::write(file.number(), bytes) == Ok(bytes.len());
    drop(file);
    let call = if whole { nr::RENAME } else { nr::UNLINK };
    // SAFETY: both paths end in NUL.
    Errno::from_rax(unsafe {
        host::syscall(call, [partial.as_ptr() as usize, path.as_ptr() as usize, 0, 0, 0, 0])
    })
    .map(drop)
}

/// A byte of a name that is no slash and no NUL.
fn letter(byte: u8) -> u8 {
    b'a' + byte % 16 + byte / 16 % 8
}

/// Makes the directory and the one above it. Not more: a home that is not there is not ours to make (it may be meant to lie
/// in the rump kernel's tree, where the host must not get one).
fn make_directories(directory: &[u8]) {
    let above = directory.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    for end in [above, directory.len()] {
        let path = [directory.get(..end).unwrap_or_default(), b"\0"].concat();
        // SAFETY: the path ends in NUL. One that is there already is fine.
        unsafe { host::syscall(nr::MKDIR, [path.as_ptr() as usize, 0o700, 0, 0, 0, 0]) };
    }
}

fn open(path: &[u8], flags: u32) -> Result<Fd, Errno> {
    // SAFETY: the path ends in NUL.
    let number = Errno::from_rax(unsafe {
        host::syscall(nr::OPEN, [path.as_ptr() as usize, flags as usize, 0o600, 0, 0, 0])
    })?;
    u32::try_from(number).map(Fd::own).map_err(|_| Errno::EMFILE)
}

/// The file that traps are counted in.
///
/// # Errors
/// open(2)'s.
pub(crate) fn open_counters(path: &[u8]) -> Result<Fd, Errno> {
    open(&[path, b"\0"].concat(), O_RDWR | O_CLOEXEC)
}

/// As [`file_size`], for a path without NUL.
pub(crate) fn size_of_file(path: &[u8]) -> Option<u64> {
    let path = [path, b"\0"].concat();
    file_size(CStr::from_bytes_until_nul(&path).ok()?)
}

/// A file's size.
pub(crate) fn file_size(path: &CStr) -> Option<u64> {
    /// `st_size` in `struct stat`.
    const SIZE_WORD: usize = 6;
    let mut stat = [0_u64; 18];
    // SAFETY: the kernel writes one `struct stat`, 144 bytes.
    let answer =
        unsafe { host::syscall(nr::STAT, [path.as_ptr() as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    (answer == 0).then_some(stat[SIZE_WORD])
}
