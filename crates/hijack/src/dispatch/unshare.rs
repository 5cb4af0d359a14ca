//! unshare(2), as far as it makes threads' descriptors differ.

use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::world::World;
use abi::raw::general::CLONE_FILES;
use core::sync::atomic::Ordering;

pub(super) fn unshare<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if call.args[0] & u64::from(CLONE_FILES) != 0 {
        h.part_descriptors();
    }
    Ok(Answer::Host)
}

impl<W: World> Hijack<W> {
    /// The calling thread is about to have descriptors of its own. Alone it has them already.
    pub(crate) fn part_descriptors(&self) {
        if self.has_threads.load(Ordering::Relaxed) {
            self.doubt_descriptors();
        }
    }

    /// See [`crate::fds::Fds::doubt`].
    pub(crate) fn doubt_descriptors(&self) {
        self.share_all();
        self.fds.doubt(host::descriptor_limit());
    }
}
