//! close(2), close_range(2): the host's. The rump kernel learns of the last close by the descriptor's peer; of a lone file's it is told.

use super::{Answer, Call, Verdict, unlock};
use crate::Hijack;
use crate::fds::Entry;
use crate::world::World;
use abi::{Errno, nr};
use alloc::vec::Vec;

/// linux/close_range.h
const CLOSE_RANGE_UNSHARE: u32 = 2;
/// linux/close_range.h
const CLOSE_RANGE_CLOEXEC: u32 = 4;

pub(super) fn close<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let fd = call.args[0] as u32;
    unlock::before_close(h, fd);
    h.forget_unseen(fd, fd);
    match h.entry(fd) {
        Entry::Host => return Ok(Answer::Host),
        Entry::Own => return Err(Errno::EBADF),
        Entry::Rump(_) | Entry::Unknown => {}
    }
    // Before the host's close: once it is closed, another thread may be given the number.
    let before = h.relearn(fd, Entry::Host);
    let answer = h.world.host(nr::CLOSE, call.args);
    h.leave(before);
    answer.map(Answer::Value)
}

pub(super) fn close_range<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [first, last, flags, ..] = call.args;
    let (first, last) = (first as u32, last as u32);
    if flags as u32 & CLOSE_RANGE_UNSHARE != 0 {
        h.part_descriptors();
    }
    if flags as u32 & CLOSE_RANGE_CLOEXEC == 0 {
        h.forget_unseen(first, last);
    }
    let mut known = h.fds.known(first, last).peekable();
    // Nothing is closed then, and the host answers EINVAL.
    let is_refused = last < first || flags as u32 & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0;
    if is_refused || known.peek().is_none() {
        return Ok(Answer::Host);
    }
    let mut left = Vec::new();
    let mut from = Some(first);
    for (fd, entry) in known {
        match h.entry_of(fd, entry) {
            Entry::Own => {
                close_between(h, from, fd.checked_sub(1), flags)?;
                from = fd.checked_add(1);
            }
            _ if flags as u32 & CLOSE_RANGE_CLOEXEC == 0 => {
                unlock::before_close(h, fd);
                left.extend(Some(h.relearn(fd, Entry::Host)).filter(Entry::is_lone));
            }
            _ => {}
        }
    }
    close_between(h, from, Some(last), flags)?;
    left.into_iter().for_each(|before| h.leave(before));
    Ok(Answer::Value(0))
}

fn close_between<W: World>(
    h: &Hijack<W>,
    first: Option<u32>,
    last: Option<u32>,
    flags: u64,
) -> Result<(), Errno> {
    match (first, last) {
        (Some(first), Some(last)) if first <= last => {
            h.world.host(nr::CLOSE_RANGE, [first.into(), last.into(), flags, 0, 0, 0]).map(drop)
        }
        _ => Ok(()),
    }
}
