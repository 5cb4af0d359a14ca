//! What a session has yet to be sent.

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use wire::call::Reply;
use wire::{HEADER, Header};

/// Frames are gathered into pieces of this size.
const PIECE: usize = 256 << 10;

/// The most descriptors of one message (`SCM_MAX_FD`, unix(7)).
pub(crate) const FDS_MAX: usize = 253;

/// Bytes from this length on are sent from where they are.
const LONG: usize = 8 << 10;

/// More memory than this is not kept for the next piece.
const SPARE_MAX: usize = 1 << 10;

/// Pieces that are sent at once.
const BATCH: usize = 8;

/// A queue of bytes and descriptors.
#[derive(Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    queued: usize,
    /// The memory of a piece that was sent, for the next one.
    spare: Vec<u8>,
}

#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    sent: usize,
    /// Travel with the first byte.
    fds: Vec<OwnedFd>,
    /// Nothing is appended to it.
    whole: bool,
}

impl Outbox {
    /// Appends a frame.
    pub(crate) fn frame(&mut self, header: Header, payload: &[u8]) {
        self.open(Vec::new()).extend_from_slice(&header.emit(payload.len()));
        self.open(Vec::new()).extend_from_slice(payload);
        self.queued += HEADER + payload.len();
    }

    /// Appends the answer to a CALL, whose segments are `out`, with descriptors, at most [`FDS_MAX`].
    pub(crate) fn reply(&mut self, header: Header, reply: &Reply<'_>, fds: Vec<OwnedFd>) {
        let len = reply.payload_len();
        let bytes = self.open(fds);
        bytes.extend_from_slice(&header.emit(len));
        reply.emit_head(bytes);
        self.queued += HEADER + len;
    }

    /// Appends the bytes of its segments.
    pub(crate) fn segments(&mut self, out: Vec<(u64, Vec<u8>)>) {
        for (_, part) in out {
            if part.len() < LONG {
                self.open(Vec::new()).extend_from_slice(&part);
            } else {
                self.pieces.push_back(Piece { bytes: part, whole: true, ..Piece::default() });
            }
        }
    }

    /// Appends bytes that are no frame (the banner).
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.open(Vec::new()).extend_from_slice(bytes);
        self.queued += bytes.len();
    }

    /// Bytes not sent yet.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// The peer is gone, or what else sendmsg(2) says.
    pub(crate) fn flush(&mut self, stream: &OwnedFd) -> Result<(), Errno> {
        while !self.pieces.is_empty() {
            match self.send(stream) {
                Ok(sent) => self.sent(sent),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// The bytes that new ones go behind; those of a new piece if descriptors begin with them.
    fn open(&mut self, fds: Vec<OwnedFd>) -> &mut Vec<u8> {
        let full = |last: &Piece| last.whole || last.bytes.len() >= PIECE;
        if !fds.is_empty() || self.pieces.back().is_none_or(full) {
            let mut bytes = std::mem::take(&mut self.spare);
            bytes.clear();
            bytes.shrink_to(SPARE_MAX);
            self.pieces.push_back(Piece { bytes, fds, ..Piece::default() });
        }
        let last = self.pieces.len() - 1;
        &mut self.pieces[last].bytes
    }

    /// Sends the first pieces, up to the next one with descriptors.
    fn send(&self, stream: &OwnedFd) -> Result<usize, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let Some(first) = self.pieces.front() else { return Ok(0) };
        if self.pieces.len() == 1 && first.fds.is_empty() {
            return rustix::net::send(stream, first.rest(), flags);
        }
        let fds: Vec<BorrowedFd<'_>> = first.fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(Errno::TOOBIG);
        }
        let together = self.pieces.iter().skip(1).take(BATCH - 1).take_while(|piece| piece.fds.is_empty());
        let mut parts = [IoSlice::new(&[]); BATCH];
        let mut count = 0;
        for (part, piece) in parts.iter_mut().zip(std::iter::once(first).chain(together)) {
            *part = IoSlice::new(piece.rest());
            count += 1;
        }
        rustix::net::sendmsg(stream, &parts[..count], &mut control, flags)
    }

    fn sent(&mut self, mut sent: usize) {
        self.queued -= sent;
        while let Some(piece) = self.pieces.front_mut().filter(|_| sent > 0) {
            let now = sent.min(piece.rest().len());
            piece.sent += now;
            sent -= now;
            piece.fds.clear();
            if piece.rest().is_empty() {
                let whole = piece.whole;
                self.spare =
                    self.pieces.pop_front().filter(|_| !whole).map(|piece| piece.bytes).unwrap_or_default();
            }
        }
    }
}

impl Piece {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }
}
