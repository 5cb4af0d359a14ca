//! Which frame a descriptor that has arrived belongs to.
//!
//! It comes with the first byte of its frame, and a read ends where the bytes of further descriptors begin (unix(7)). So it
//! belongs to a frame that began in the same read. A frame that had begun before has lost its own, for want of a number in
//! this process, and must not take another's.

use alloc::collections::VecDeque;
use host::Fd;

/// Descriptors that no frame has claimed yet.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// Counts reads.
    read: u64,
    /// The read that brought the first byte of the next frame.
    begun: u64,
    /// Each with the read that brought it.
    fds: VecDeque<(u64, Fd)>,
}

impl Passed {
    /// The next read begins; whether the stream stands at the start of a frame.
    pub(crate) fn next_read(&mut self, at_start: bool) {
        self.read += 1;
        if at_start {
            self.begun = self.read;
        }
    }

    /// This read brought a descriptor.
    pub(crate) fn arrived(&mut self, fd: Fd) {
        self.fds.push_back((self.read, fd));
    }

    /// The next descriptor of the frame, if one has arrived.
    pub(crate) fn take(&mut self) -> Option<Fd> {
        while self.fds.pop_front_if(|(read, _)| *read < self.begun).is_some() {}
        self.fds.pop_front_if(|(read, _)| *read == self.begun).map(|(_, fd)| fd)
    }

    /// All frames that have begun are complete.
    pub(crate) fn clear(&mut self) {
        self.fds.clear();
    }

    /// The frame is complete; the next one begins behind it, in the same read.
    pub(crate) fn frame_done(&mut self) {
        self.begun = self.read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(passed: &mut Passed, at_start: bool) -> u32 {
        passed.next_read(at_start);
        let fd = host::dup_above(0, 0).unwrap();
        let number = fd.number();
        passed.arrived(fd);
        number
    }

    fn taken(passed: &mut Passed) -> Option<u32> {
        passed.take().map(|fd| fd.number())
    }

    #[test]
    fn a_frame_has_those_of_the_read_in_which_it_began() {
        let mut passed = Passed::default();
        let first = arrive(&mut passed, true);
        passed.next_read(false);
        let second = arrive(&mut passed, false);
        assert_eq!((taken(&mut passed), taken(&mut passed)), (Some(first), None));
        passed.frame_done();
        assert_eq!((taken(&mut passed), taken(&mut passed)), (Some(second), None));
    }

    #[test]
    fn what_a_frame_does_not_claim_is_not_the_next_ones() {
        let mut passed = Passed::default();
        let (_surplus, second) = (arrive(&mut passed, true), arrive(&mut passed, false));
        passed.frame_done();
        assert_eq!(taken(&mut passed), Some(second));
        passed.frame_done();
        arrive(&mut passed, false);
        passed.next_read(true);
        assert_eq!(taken(&mut passed), None);
    }

    #[test]
    fn frames_of_one_read() {
        let mut passed = Passed::default();
        let only = arrive(&mut passed, true);
        passed.frame_done();
        assert_eq!(taken(&mut passed), Some(only), "the first had none");
    }
}
