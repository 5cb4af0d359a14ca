//! Urgent data as Linux has it (tcp(7), RFC 6093): one byte of the stream that is read on its own, by `MSG_OOB`, and at which
//! reads of the rest stop. The engine knows nothing of it: the pointer is put into segments that pass, and read off them.

use super::Engine;
use crate::packet::{Segment, seq_after};

/// An urgent pointer is forgotten when the stream has gone on by this much: more than any window, and far from where sequence
/// numbers turn round.
const STALE: u32 = 1 << 26;

/// What has become of the byte that the peer pointed at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Byte {
    /// The peer has said that it will come.
    Announced,
    There(u8),
    /// It was read; the mark is still there.
    Read,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Its sequence number.
    at: u32,
    byte: Byte,
}

/// Urgent data both ways.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Urgent {
    /// The byte behind the last urgent one of ours.
    sent_to: Option<u32>,
    mark: Option<Mark>,
    /// `SO_OOBINLINE`.
    inline: bool,
}

/// What `recv(MSG_OOB)` finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutOfBand {
    /// Nothing was announced, or it was read.
    Nothing,
    /// It is announced and has not come.
    Announced,
    There(u8),
}

impl Engine {
    /// `SO_OOBINLINE`.
    pub(super) fn set_oob_inline(&mut self, inline: bool) {
        self.urgent.inline = inline;
    }

    /// The last byte queued is urgent.
    pub(crate) fn mark_urgent(&mut self) {
        self.urgent.sent_to = Some(self.ledger.data_begin.wrapping_add(self.ledger.written));
    }

    /// The urgent pointer of a segment that begins at `seq`: Linux's points behind the byte (tcp(7), `tcp_stdurg`).
    pub(super) fn urgent_pointer(&self, seq: u32) -> Option<u16> {
        let to = self.urgent.sent_to.filter(|to| seq_after(*to, seq))?;
        u16::try_from(to.wrapping_sub(seq)).ok()
    }

    /// A segment of ours that begins at `seq` went out.
    pub(super) fn forget_stale(&mut self, seq: u32) {
        let stale = |to: u32| !seq_after(to, seq) && seq.wrapping_sub(to) > STALE;
        self.urgent.sent_to = self.urgent.sent_to.filter(|to| !stale(*to));
    }

    /// Takes note of a segment's urgent pointer, before its bytes are taken; whether it announces another byte
    /// (net/ipv4/tcp_input.c, tcp_check_urg).
    pub(super) fn note_urgent(&mut self, segment: &Segment<'_>) -> bool {
        let Some(at) = segment.urgent.filter(|_| self.ledger.synchronized && !segment.syn) else {
            return false;
        };
        let (first, next) = (self.first_unread(), self.rcv_nxt());
        let ahead = at.wrapping_sub(next);
        let in_window = u32::try_from(self.socket().recv_capacity()).is_ok_and(|most| ahead <= most);
        let news = self.urgent.mark.is_none_or(|mark| seq_after(at, mark.at));
        if !in_window || !news || seq_after(first, at) {
            return false;
        }
        if self.at_mark() && !self.urgent.inline && first != next {
            // The byte before it, which nobody has fetched, does not come into the stream.
            self.recv(&mut [], false);
        }
        self.urgent.mark = Some(Mark { at, byte: Byte::Announced });
        true
    }

    /// Fetches the announced byte once it has come; whether it has.
    pub(super) fn fetch_urgent(&mut self) -> bool {
        let Some(Mark { at, byte: Byte::Announced }) = self.urgent.mark else { return false };
        let ahead = usize::try_from(at.wrapping_sub(self.first_unread())).unwrap_or(usize::MAX);
        if ahead >= self.recv_queue() {
            return false;
        }
        let mut before = vec![0; ahead + 1];
        let found = self.socket_mut().peek_slice(&mut before).ok();
        let Some(byte) = found.and_then(|_| before.last().copied()) else { return false };
        self.urgent.mark = Some(Mark { at, byte: Byte::There(byte) });
        true
    }

    /// `MSG_OOB`.
    pub(crate) fn recv_urgent(&mut self, peek: bool) -> OutOfBand {
        match &mut self.urgent.mark {
            _ if self.urgent.inline => OutOfBand::Nothing,
            Some(Mark { byte: Byte::Announced, .. }) => OutOfBand::Announced,
            Some(Mark { byte: byte @ Byte::There(_), .. }) => {
                let Byte::There(found) = *byte else { return OutOfBand::Nothing };
                if !peek {
                    *byte = Byte::Read;
                }
                OutOfBand::There(found)
            }
            _ => OutOfBand::Nothing,
        }
    }

    /// `SIOCATMARK`.
    pub(crate) fn at_mark(&self) -> bool {
        self.urgent.mark.is_some_and(|mark| mark.at == self.first_unread())
    }

    /// `POLLPRI`.
    pub(crate) fn has_urgent(&self) -> bool {
        matches!(self.urgent.mark, Some(Mark { byte: Byte::There(_), .. }))
    }

    /// How many bytes of the receive queue are no part of the stream that is read: the one that is read by `MSG_OOB`.
    pub(crate) fn out_of_band(&self) -> usize {
        usize::from(self.at_mark() && !self.urgent.inline && self.recv_queue() > 0)
    }

    /// `FIONREAD` (net/ipv4/tcp.h, tcp_inq): up to the mark.
    pub(crate) fn unread(&self) -> usize {
        let queued = self.recv_queue();
        match self.urgent.mark.filter(|_| !self.urgent.inline) {
            Some(mark) => {
                queued.min(usize::try_from(mark.at.wrapping_sub(self.first_unread())).unwrap_or(queued))
            }
            None => queued,
        }
    }

    /// Bytes that a read may take before it has to stop; beyond the mark they come with the next one.
    pub(super) fn until_mark(&self) -> usize {
        let ahead = self.urgent.mark.map(|mark| mark.at.wrapping_sub(self.first_unread()));
        ahead.filter(|ahead| *ahead > 0).and_then(|ahead| usize::try_from(ahead).ok()).unwrap_or(usize::MAX)
    }

    /// Something was read: a mark that lies behind is gone.
    pub(super) fn forget_passed(&mut self) {
        let first = self.first_unread();
        self.urgent.mark = self.urgent.mark.filter(|mark| !seq_after(first, mark.at));
    }
}
