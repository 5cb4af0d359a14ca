//! Frames in a stream of bytes: each behind its length in four bytes, the highest first.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::os::fd::OwnedFd;

/// The largest frame: an IP packet with Ethernet's header and a VLAN tag.
pub(crate) const FRAME_MAX: usize = 65535 + 14 + 4;
const HEADER: usize = 4;
/// Bytes read at a time; at least one frame.
const SPACE: usize = 256 << 10;
/// Bytes that wait to be sent; beyond, frames wait in front.
const WAITING: usize = 512 << 10;

/// Why a stream cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the other end has gone")]
    End,
    #[error("a frame of {0} bytes")]
    Length(u32),
    #[error("{0}")]
    Host(Errno),
}

/// What was read and not yet taken.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// What is taken up to here, filled up to there.
    start: usize,
    end: usize,
}

impl Inbox {
    /// Takes at most `most` frames, reading what has come. Answers whether there may be more.
    ///
    /// # Errors
    /// The stream is over: what was whole before has been delivered.
    pub(crate) fn receive(
        &mut self,
        fd: &OwnedFd,
        most: usize,
        deliver: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, Broken> {
        for _ in 0..most {
            if let Some(frame) = self.next()? {
                deliver(frame);
            } else if !self.read(fd)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next whole frame.
    fn next(&mut self) -> Result<Option<&[u8]>, Broken> {
        let there = &self.bytes[self.start..self.end];
        let Some((header, rest)) = there.split_first_chunk::<HEADER>() else { return Ok(None) };
        let len = u32::from_be_bytes(*header);
        let whole = usize::try_from(len).ok().filter(|len| *len <= FRAME_MAX).ok_or(Broken::Length(len))?;
        if rest.len() < whole {
            return Ok(None);
        }
        let from = self.start + HEADER;
        self.start = from + whole;
        Ok(Some(&self.bytes[from..from + whole]))
    }

    /// Reads once; whether anything came.
    fn read(&mut self, fd: &OwnedFd) -> Result<bool, Broken> {
        self.bytes.resize(SPACE, 0);
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        match rustix::net::recv(fd, &mut self.bytes[self.end..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(Broken::End),
            Ok((_, len)) => {
                self.end += len;
                Ok(true)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(errno) => Err(Broken::Host(errno)),
        }
    }
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    start: usize,
}

impl Outbox {
    /// Takes a frame, if there is room.
    pub(crate) fn push(&mut self, frame: &[u8]) -> bool {
        let Some(len) = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME_MAX) else {
            return false;
        };
        if self.bytes.len() - self.start > WAITING {
            return false;
        }
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(frame);
        true
    }

    /// Sends what there is room for. Answers whether that was all; what cannot be sent to an end that has gone is.
    pub(crate) fn flush(&mut self, fd: &OwnedFd) -> bool {
        while self.start < self.bytes.len() {
            match rustix::net::send(fd, &self.bytes[self.start..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            {
                Ok(len) => self.start += len,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    // Moved to the front now and then, not each time.
                    if self.start > WAITING {
                        self.bytes.drain(..std::mem::take(&mut self.start));
                    }
                    return false;
                }
                Err(_) => break,
            }
        }
        self.bytes.clear();
        self.start = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType};

    fn pair() -> (OwnedFd, OwnedFd) {
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn receive_all(inbox: &mut Inbox, fd: &OwnedFd) -> (Vec<Vec<u8>>, Result<bool, Broken>) {
        let mut frames = Vec::new();
        let end = inbox.receive(fd, 10_000, &mut |frame| frames.push(frame.to_vec()));
        (frames, end)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn frames_come_out_as_they_went_in(sizes in prop::collection::vec(0..20_000_usize, 0..40)) {
            let (a, b) = pair();
            let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
            let sent: Vec<Vec<u8>> = sizes.iter().map(|len| vec![*len as u8; *len]).collect();
            let mut got = Vec::new();
            for frame in &sent {
                while !outbox.push(frame) {
                    outbox.flush(&a);
                    got.extend(receive_all(&mut inbox, &b).0);
                }
            }
            while !outbox.flush(&a) {
                got.extend(receive_all(&mut inbox, &b).0);
            }
            got.extend(receive_all(&mut inbox, &b).0);
            prop_assert_eq!(got, sent);
        }

        /// Any bytes: whole frames or an end, no panic.
        #[test]
        fn any_bytes_will_do(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let (a, b) = pair();
            rustix::net::send(&a, &bytes, SendFlags::DONTWAIT).unwrap();
            drop(a);
            let (frames, end) = receive_all(&mut Inbox::default(), &b);
            prop_assert!(end.is_err() && frames.iter().all(|frame| frame.len() <= bytes.len()));
        }
    }

    #[test]
    fn a_frame_that_cannot_be_ends_the_stream() {
        let (a, b) = pair();
        rustix::net::send(&a, b"\0\0\0\x02okABCDEFGH", SendFlags::DONTWAIT).unwrap();
        let (frames, end) = receive_all(&mut Inbox::default(), &b);
        assert_eq!(frames, [b"ok"]);
        assert!(matches!(end, Err(Broken::Length(0x4142_4344))));
    }
}
