//! unshare(2), as far as it makes threads' descriptors and working directories differ.

use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::world::World;
use abi::raw::general::{CLONE_FILES, CLONE_FS, CLONE_NEWNS};
use core::sync::atomic::Ordering;

pub(super) fn unshare<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let has = |flags: u32| call.args[0] & u64::from(flags) != 0;
    if has(CLONE_FILES) {
        h.part_descriptors();
    }
    if !has(CLONE_FS | CLONE_NEWNS) {
        return Ok(Answer::Host);
    }
    let value = h.world.host(call.nr, call.args)?;
    h.part_places();
    Ok(Answer::Value(value))
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
