//! getdents64(2): /proc/self/fd does not show the library's own descriptors.

use super::{AT_FDCWD, Answer, Call, Verdict, row_of};
use crate::Hijack;
use crate::dirent::{Dirent, entries};
use crate::fds::Entry;
use crate::owner::Owner;
use crate::text::Text;
use crate::world::World;
use abi::nr;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// More than a program's C library asks for at once (glibc: 32 KiB, at most 1 MiB).
const ROOM_MAX: u64 = 1 << 20;

pub(super) fn getdents64<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if let Owner::Rump(_) = h.owner(call.args[0])? {
        return h.by_fd((row_of(call.nr)?, call), 0);
    }
    loop {
        let length = h.world.host(call.nr, call.args)?;
        let Some(shown) = without_own(h, call, length) else { return Ok(Answer::Value(length)) };
        // An answer of 0 would be the end of the directory.
        if !shown.is_empty() {
            h.world.write(call.args[1], &shown)?;
            return Ok(Answer::Value(shown.len() as u64));
        }
    }
}

/// The buffer less what is our own; `None` if there is nothing of ours in it.
fn without_own<W: World>(h: &Hijack<W>, call: &Call, length: u64) -> Option<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(length.min(ROOM_MAX)).ok()?];
    h.world.read(call.args[1], &mut buffer).ok()?;
    let is_own = |entry: &Dirent<'_>| entry.number().is_some_and(|fd| h.entry(fd) == Entry::Own);
    // A file may be called "1023" elsewhere.
    if !entries(&buffer).any(|entry| is_own(&entry)) || !lists_descriptors(h, call.args[0]) {
        return None;
    }
    let shown = entries(&buffer).filter(|entry| !is_own(entry)).map(|entry| entry.bytes);
    Some(shown.collect::<Vec<_>>().concat())
}

/// Whether a directory is the /proc/PID/fd or fdinfo of a process.
fn lists_descriptors<W: World>(h: &Hijack<W>, fd: u64) -> bool {
    let target = shown(h, fd);
    let target = target.as_bytes();
    target.starts_with(b"/proc/") && (target.ends_with(b"/fd") || target.ends_with(b"/fdinfo"))
}

/// The path of a directory (`AT_FDCWD`: of the working directory), as its link in /proc/self says; empty if that is long.
pub(super) fn shown<W: World>(h: &Hijack<W>, fd: u64) -> Text {
    let (mut link, mut path) = (Text::default(), Text::default());
    let mut target = [0u8; 64];
    let written = match fd as u32 {
        AT_FDCWD => link.write_str("/proc/self/cwd\0"),
        fd => write!(link, "/proc/self/fd/{fd}\0"),
    };
    if written.is_ok() {
        let (link_at, target_at) = (link.as_bytes().as_ptr() as u64, target.as_mut_ptr() as u64);
        let args = [link_at, target_at, target.len() as u64, 0, 0, 0];
        let length = h.world.host(nr::READLINK, args).unwrap_or(0) as usize;
        let name = target.get(..length).and_then(|name| core::str::from_utf8(name).ok());
        let _ = path.write_str(name.unwrap_or_default());
    }
    path
}
