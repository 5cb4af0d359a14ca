//! select(2), pselect6(2): rump descriptors are real host descriptors, so the numbers stand; what is asked for is
//! watched first.

use super::{Answer, Call, Verdict, poll, select_rump};
use crate::Hijack;
use crate::fds::Entry;
use crate::owner::Owner;
use crate::world::World;

/// Numbers in a word of an `fd_set`.
const WORD_BITS: u64 = 64;

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
    for address in sets.into_iter().filter(|&address| address != 0) {
        watch_set(h, address, last);
    }
    Ok(Answer::Host)
}

fn watch_set<W: World>(h: &Hijack<W>, address: u64, last: u32) {
    for index in 0..=u64::from(last) / WORD_BITS {
        let mut word = [0; 8];
        // The host answers EFAULT.
        let Ok(()) = h.world.read(address.wrapping_add(index * 8), &mut word) else { return };
        let mut bits = u64::from_ne_bytes(word);
        while bits != 0 {
            let fd = index * WORD_BITS + u64::from(bits.trailing_zeros());
            bits &= bits - 1;
            if h.fds.get(fd as u32) == Entry::Host {
                continue;
            }
            if let Ok(Owner::Rump(rump)) = h.owner(fd) {
                // One that cannot be watched has lost its kernel: the host's select sees it hung up.
                let _ = poll::watch(h, fd as u32, rump);
            }
        }
    }
}
