//! getvfsstat(2), and which mount a file is in.

use super::statvfs::Statvfs;
use super::{Calls, Open};
use abi::layout::{Stat, Statfs};
use abi::raw::general::O_RDONLY;
use abi::{Errno, nr};
use zerocopy::{FromZeros, IntoBytes};

/// Room for a line: two paths, each byte of them escaped, would be longer, but no such name is in use.
const ROOM: usize = 4096;
/// A path with its NUL.
const PATH_MAX: usize = 1024;

/// How many mounts there are; as many as there is room for are put into `out`.
///
/// # Errors
/// As open(2) and read(2) of /proc/self/mounts.
pub fn getvfsstat<C: Calls>(calls: &C, out: &mut [Statvfs]) -> Result<usize, Errno> {
    let mut count = 0;
    each_line(calls, |[source, point, kind]| {
        if let Some(slot) = out.get_mut(count) {
            *slot = Statvfs::new_zeroed();
            slot.names(source, point, kind);
            if let Ok(statfs) = statfs(calls, &slot.f_mntonname) {
                slot.figures(&statfs);
            }
        }
        count += 1;
        true
    })?;
    Ok(count)
}

/// Describes the mount that an open file is in.
///
/// # Errors
/// As fstatfs(2).
pub(super) fn of_descriptor<C: Calls>(calls: &C, fd: u64, out: &mut Statvfs) -> Result<(), Errno> {
    let mut figures = Statfs::default();
    calls.call(nr::FSTATFS, [fd, figures.as_mut_bytes().as_mut_ptr() as u64, 0, 0, 0, 0])?;
    let mut stat = Stat::default();
    calls.call(nr::FSTAT, [fd, stat.as_mut_bytes().as_mut_ptr() as u64, 0, 0, 0, 0])?;
    *out = Statvfs::new_zeroed();
    each_line(calls, |[source, point, kind]| {
        out.names(source, point, kind);
        let found = device(calls, &out.f_mntonname) == Ok(stat.st_dev);
        if !found {
            *out = Statvfs::new_zeroed();
        }
        !found
    })?;
    out.figures(&figures);
    Ok(())
}

fn statfs<C: Calls>(calls: &C, path: &[u8; PATH_MAX]) -> Result<Statfs, Errno> {
    let mut statfs = Statfs::default();
    let at = statfs.as_mut_bytes().as_mut_ptr() as u64;
    calls.call(nr::STATFS, [path.as_ptr() as u64, at, 0, 0, 0, 0])?;
    Ok(statfs)
}

/// The device number of what is at a path.
fn device<C: Calls>(calls: &C, path: &[u8; PATH_MAX]) -> Result<u64, Errno> {
    let mut stat = Stat::default();
    calls.call(nr::STAT, [path.as_ptr() as u64, stat.as_mut_bytes().as_mut_ptr() as u64, 0, 0, 0, 0])?;
    Ok(stat.st_dev)
}

/// Calls `each` with the first three words of each line until it answers false.
fn each_line<C: Calls>(calls: &C, mut each: impl FnMut([&[u8]; 3]) -> bool) -> Result<(), Errno> {
    let list = Open::path(calls, b"/proc/self/mounts\0", O_RDONLY)?;
    let mut buffer = [0; ROOM];
    let mut filled = 0;
    loop {
        let read = list.read(buffer.get_mut(filled..).unwrap_or_default())?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let mut begin = 0;
        while let Some(len) = buffer[begin..filled].iter().position(|byte| *byte == b'\n') {
            let mut words = buffer[begin..begin + len].split(|byte| *byte == b' ');
            let words = [(); 3].map(|()| words.next().unwrap_or_default());
            if !each(words) {
                return Ok(());
            }
            begin += len + 1;
        }
        // A line that does not fit is none.
        if begin == 0 && filled == ROOM {
            filled = 0;
        } else {
            buffer.copy_within(begin..filled, 0);
            filled -= begin;
        }
    }
}
