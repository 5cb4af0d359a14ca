//! What a session has yet to be sent.

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use wire::{HEADER, Header};

/// Frames are gathered into pieces of this size, one sendmsg(2) each.
const PIECE: usize = 256 << 10;

/// The most descriptors of one message (`SCM_MAX_FD`, unix(7)).
pub(crate) const FDS_MAX: usize = 253;

/// A queue of bytes and descriptors.
#[derive(Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    queued: usize,
}

#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    sent: usize,
    /// Travel with the first byte.
    fds: Vec<OwnedFd>,
}

impl Outbox {
    /// Appends a frame.
    pub(crate) fn frame(&mut self, header: Header, payload: &[u8]) {
        self.frame_with(header, payload, Vec::new());
    }

    /// As [`Outbox::frame`], with descriptors, at most [`FDS_MAX`].
    pub(crate) fn frame_with(&mut self, header: Header, payload: &[u8], fds: Vec<OwnedFd>) {
        let piece = self.piece(fds);
        piece.bytes.extend_from_slice(&header.emit(payload.len()));
        piece.bytes.extend_from_slice(payload);
        self.queued += HEADER + payload.len();
    }

    /// Appends bytes that are no frame (the banner).
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.piece(Vec::new()).bytes.extend_from_slice(bytes);
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
        while let Some(piece) = self.pieces.front_mut() {
            match piece.send(stream) {
                Ok(sent) => {
                    self.queued -= sent;
                    if piece.sent == piece.bytes.len() {
                        self.pieces.pop_front();
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn piece(&mut self, fds: Vec<OwnedFd>) -> &mut Piece {
        let fresh = !fds.is_empty() || self.pieces.back().is_none_or(|last| last.bytes.len() >= PIECE);
        if fresh {
            self.pieces.push_back(Piece { fds, ..Piece::default() });
        }
        let last = self.pieces.len() - 1;
        &mut self.pieces[last]
    }
}

impl Piece {
    fn send(&mut self, stream: &OwnedFd) -> Result<usize, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let rest = &self.bytes[self.sent..];
        let sent = if self.fds.is_empty() {
            rustix::net::send(stream, rest, flags)?
        } else {
            let fds: Vec<BorrowedFd<'_>> = self.fds.iter().map(AsFd::as_fd).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
                return Err(Errno::TOOBIG);
            }
            rustix::net::sendmsg(stream, &[IoSlice::new(rest)], &mut control, flags)?
        };
        self.fds.clear();
        self.sent += sent;
        Ok(sent)
    }
}
