//! select(2), pselect6(2): rump descriptors are real host descriptors, so the numbers stand; what is asked for is
//! watched first.

use super::poll::Seen;
use super::{Answer, Call, Verdict, poll, select_rump};
use crate::Hijack;
use crate::fds::Entry;
use crate::owner::Owner;
use crate::world::World;

/// Numbers in a word of an `fd_set`.
const WORD_BITS: u64 = 64;
/// The third set.
const EXCEPTIONAL: usize = 2;

pub(super) fn select<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [count, sets @ .., _, _] = call.args;
    let Ok(count) = u32::try_from(count as u32 as i32) else { return Ok(Answer::Host) };
    // Beyond the last number that is not the host's there is nothing to watch.
    let Some((last, _)) = h.fds.known(0, count.saturating_sub(1)).last().filter(|_| count > 0) else {
        return Ok(Answer::Host);
    };
    if let Some(outcome) = select_rump::select(h, count, call) {
        return outcome.map(Answer::Value);
    }
    let mut seen = Seen::All;
    for (set, address) in sets.into_iter().enumerate().filter(|(_, address)| *address != 0) {
        if watch_set(h, address, last, set == EXCEPTIONAL) == Seen::Roughly {
            seen = Seen::Roughly;
        }
    }
    let exact = if seen == Seen::Roughly { select_rump::mixed(h, count, call) } else { None };
    exact.map_or(Ok(Answer::Host), |outcome| outcome.map(Answer::Value))
}

fn watch_set<W: World>(h: &Hijack<W>, address: u64, last: u32, urgent: bool) -> Seen {
    let mut seen = Seen::All;
    for index in 0..=u64::from(last) / WORD_BITS {
        let mut word = [0; 8];
        // The host answers EFAULT.
        let Ok(()) = h.world.read(address.wrapping_add(index * 8), &mut word) else { return seen };
        let mut bits = u64::from_ne_bytes(word);
        while bits != 0 {
            let fd = index * WORD_BITS + u64::from(bits.trailing_zeros());
            bits &= bits - 1;
            if h.fds.get(fd as u32) == Entry::Host {
                continue;
            }
            if let Ok(Owner::Rump(rump)) = h.owner(fd) {
                // One that cannot be watched has lost its kernel: the host's select sees it hung up.
                if poll::watch(h, fd as u32, rump, urgent) == Ok(Seen::Roughly) {
                    seen = Seen::Roughly;
                }
            }
        }
    }
    seen
}
