//! Urgent bytes of streams (`MSG_OOB`, Linux 5.15): each is a piece of its own, and the last one is what `MSG_OOB` receives.

use super::table::{Endpoint, Mark, OVERHEAD};
use abi::raw::net::{SO_OOBINLINE, SOL_SOCKET};

impl Endpoint {
    /// An urgent byte comes next: those before it are like others.
    pub(super) fn announce_urgent(&mut self) {
        for message in self.queue.iter_mut().filter(|message| message.mark == Mark::Urgent) {
            message.mark = Mark::Past;
        }
    }

    /// `POLLPRI`.
    pub(super) fn has_urgent(&self) -> bool {
        self.queue.iter().any(|message| message.mark == Mark::Urgent)
    }

    fn is_inline(&self) -> bool {
        self.common.flag(SOL_SOCKET, SO_OOBINLINE)
    }

    /// What `MSG_OOB` receives; none: there is nothing, or it is read like other bytes (`SO_OOBINLINE`).
    pub(super) fn take_urgent(&mut self, peek: bool) -> Option<u8> {
        let at = self.queue.iter().position(|message| message.mark == Mark::Urgent)?;
        if self.is_inline() {
            return None;
        }
        let byte = self.queue[at].data.first().copied()?;
        if !peek {
            (self.queue[at].at, self.queue[at].mark) = (1, Mark::Past);
            self.queued = self.queued.saturating_sub(1);
            // One mark is enough.
            if at > 0 && self.queue[at - 1].left() == 0 {
                self.drop_piece(at - 1);
            }
        }
        Some(byte)
    }

    /// Which piece of a stream is read next, from `at` on, if `any` bytes were read before it (net/unix/af_unix.c, manage_oob): a read ends
    /// in front of an urgent byte, and the next one passes over it.
    pub(super) fn next_piece(&mut self, mut at: usize, any: bool, peek: bool) -> Option<usize> {
        if self.queue.get(at)?.left() == 0 {
            if any && !self.has_urgent() {
                return None;
            }
            if peek {
                at += 1;
            } else {
                self.drop_piece(at);
            }
        }
        if self.queue.get(at)?.mark != Mark::Urgent {
            return Some(at);
        }
        if any {
            return None;
        }
        match (peek, self.is_inline()) {
            (true, true) => Some(at),
            (true, false) => (at + 1 < self.queue.len()).then_some(at + 1),
            (false, inline) => {
                self.queue[at].mark = Mark::Past;
                if !inline {
                    self.drop_piece(at);
                }
                (!self.queue.is_empty()).then_some(0)
            }
        }
    }

    /// `SIOCATMARK`.
    pub(super) fn at_mark(&self) -> bool {
        let mut pieces = self.queue.iter();
        let (first, next) = (pieces.next(), pieces.next());
        let is_urgent = |mark: Mark| mark == Mark::Urgent;
        first.is_some_and(|first| {
            let passed =
                first.left() == 0 && (!self.has_urgent() || next.is_some_and(|next| is_urgent(next.mark)));
            is_urgent(first.mark) || passed
        })
    }

    fn drop_piece(&mut self, at: usize) {
        if let Some(piece) = self.queue.remove(at) {
            self.queued = self.queued.saturating_sub(piece.left() + OVERHEAD);
        }
    }
}
