//! Sending frames.

use crate::state::Session;
use crate::sys;
use abi::Errno;
use host::{PARTS_MAX, Part, Wait};
use wire::Header;

/// What is sent in the place of bytes that the program took away while they were being sent.
static ZEROS: [u8; 4096] = [0; 4096];

/// What is joined before it is sent.
const SHORT: usize = 512;

impl Session {
    /// Sends a frame of ours.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) fn send_frame(&self, socket: u32, header: Header, payload: &[u8]) -> Result<(), Errno> {
        let header = header.emit(payload.len());
        self.send(socket, &[Part::Ours(&header), Part::Ours(payload)], &[])
    }

    /// Sends at most [`PARTS_MAX`] pieces of a frame or of several, whole.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) fn send(&self, socket: u32, parts: &[Part<'_>], fds: &[u32]) -> Result<(), Errno> {
        let whole: usize = parts.iter().map(Part::len).sum();
        let mut short = [0; SHORT];
        let joined = if fds.is_empty() { join(parts, &mut short) } else { None };
        let parts = joined.as_ref().map_or(parts, core::slice::from_ref);
        let (mut sent, mut fds) = (0, fds);
        while sent < whole {
            let mut left = [Part::Ours(&[]); PARTS_MAX];
            let count = rest(parts, sent, &mut left);
            let outcome = match sys::send(socket, &left[..count], fds, Wait::Yes) {
                // The frame was announced: the call that it makes sees zeros, and its thread whatever it provoked.
                Err(Errno::EFAULT) => sys::send(socket, &[zeros(left[0])], fds, Wait::Yes),
                outcome => outcome,
            };
            match outcome {
                Ok(0) => return Err(Errno::EPIPE),
                Ok(now) => {
                    sent += now;
                    fds = &[];
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// The parts as one, if they are ours and few bytes: sendto(2) of one piece takes less time than sendmsg(2) of four.
fn join<'a>(parts: &[Part<'_>], into: &'a mut [u8; SHORT]) -> Option<Part<'a>> {
    let mut len = 0;
    for part in parts {
        let Part::Ours(bytes) = part else { return None };
        into.get_mut(len..len + bytes.len())?.copy_from_slice(bytes);
        len += bytes.len();
    }
    Some(Part::Ours(&into[..len]))
}

/// Puts what is behind the first `sent` bytes into `left`; answers how many parts that are.
fn rest<'a>(parts: &[Part<'a>], sent: usize, left: &mut [Part<'a>; PARTS_MAX]) -> usize {
    let (mut skip, mut count) = (sent, 0);
    for part in parts {
        let rest = part.after(skip);
        skip = skip.saturating_sub(part.len());
        if let Some(slot) = left.get_mut(count).filter(|_| !rest.is_empty()) {
            *slot = rest;
            count += 1;
        }
    }
    count
}

fn zeros(unreadable: Part<'_>) -> Part<'static> {
    Part::Ours(&ZEROS[..unreadable.len().min(ZEROS.len())])
}
