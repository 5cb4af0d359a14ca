//! msync(2): the host's, for which a rump file that is mapped is a file of memory; the rump kernel keeps what is in it.

use super::{Answer, Call, Verdict, row_of};
use crate::Hijack;
use crate::world::World;
use abi::raw::general::{MS_SYNC, O_CLOEXEC, O_RDONLY};
use abi::{nr, private};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// What is read of /proc/self/maps at once: it tells whole lines.
const PIECE: usize = 16 << 10;
/// What the name of the server's memory files shows as.
const NAME: &[u8] = b"/memfd:rump (deleted)";

pub(super) fn msync<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [start, len, flags, ..] = call.args;
    // MS_ASYNC begins nothing on Linux.
    if !h.maps_files.load(Ordering::Relaxed) || flags as u32 & MS_SYNC == 0 {
        return Ok(Answer::Host);
    }
    let value = h.world.host(call.nr, call.args)?;
    for inode in mapped_between(h, start, start.saturating_add(len)) {
        h.rump(row_of(private::MSYNC)?, [inode, 0, 0, 0, 0, 0])?;
    }
    Ok(Answer::Value(value))
}

/// The inodes of the memory files that are mapped in a range, so that stores reach them.
fn mapped_between<W: World>(h: &Hijack<W>, start: u64, end: u64) -> Vec<u64> {
    let mut inodes = Vec::new();
    let path = c"/proc/self/maps".as_ptr() as u64;
    let Ok(fd) = h.world.host(nr::OPEN, [path, u64::from(O_RDONLY | O_CLOEXEC), 0, 0, 0, 0]) else {
        return inodes;
    };
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) =
        h.world.host(nr::READ, [fd, piece.as_mut_ptr() as u64, PIECE as u64, 0, 0, 0])
    {
        let lines = piece.get(..length as usize).unwrap_or_default().split(|byte| *byte == b'\n');
        let found = lines.filter_map(Mapping::parse).filter(|found| found.start < end && start < found.end);
        inodes.extend(found.filter(|found| found.is_rumps).map(|found| found.inode));
    }
    h.close_quietly(fd as u32);
    inodes.sort_unstable();
    inodes.dedup();
    inodes
}

/// A line of /proc/self/maps (proc_pid_maps(5)).
struct Mapping {
    start: u64,
    end: u64,
    inode: u64,
    /// It is a shared one of a memory file of the rump kernel's.
    is_rumps: bool,
}

impl Mapping {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = core::str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let is_shared = words.next()?.ends_with('s');
        let inode = words.nth(2)?.parse().ok()?;
        let address = |hex| u64::from_str_radix(hex, 16).ok();
        let is_rumps = is_shared && line.as_bytes().ends_with(NAME);
        Some(Self { start: address(start)?, end: address(end)?, inode, is_rumps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let line = |text: &str| {
            Mapping::parse(text.as_bytes()).map(|found| (found.start, found.end, found.inode, found.is_rumps))
        };
        let shared =
            "7f0000001000-7f0000003000 rw-s 00000000 00:01 1234                       /memfd:rump (deleted)";
        assert_eq!(line(shared), Some((0x7f00_0000_1000, 0x7f00_0000_3000, 1234, true)));
        assert_eq!(
            line(&shared.replace("rw-s", "rw-p")),
            Some((0x7f00_0000_1000, 0x7f00_0000_3000, 1234, false))
        );
        assert_eq!(line("1000-2000 rw-p 00000000 00:00 0"), Some((0x1000, 0x2000, 0, false)));
        assert_eq!(line(""), None);
    }
}
