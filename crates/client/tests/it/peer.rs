//! A server that does what the test says.

#![allow(clippy::unwrap_used, reason = "a test ends there")]
#![allow(dead_code, reason = "each test program uses some of it")]

use abi::{Errno, nr, table};
use client::{Options, Retry, Session};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;
use wire::call::{Reply, Segment};
use wire::url::Url;
use wire::{Decoder, Frame, Header, class, kind};

pub(crate) const OURS: &[u8] = b"RUMPSP-0.5-Linux-0.1.0/x86_64\n";
pub(crate) const ORIGINAL: &[u8] = b"RUMPSP-0.4-NetBSD-7.99.34/amd64\n";

/// The server's end of one connection.
pub(crate) struct Peer {
    pub(crate) stream: UnixStream,
    pub(crate) decoder: Decoder,
}

impl Peer {
    pub(crate) fn accept(listener: &UnixListener, banner: &[u8]) -> Self {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // A client that only cancels a fork may be gone already.
        let _ = stream.write_all(banner);
        Self { stream, decoder: Decoder::default() }
    }

    pub(crate) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(len) => self.decoder.push(&bytes[..len]),
            }
        }
    }

    /// The next frame that is no handshake or option; those are accepted.
    pub(crate) fn request(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            match frame.header.kind {
                kind::HANDSHAKE => self.answer(&frame, kind::HANDSHAKE, &[0; 4]),
                kind::OPTIONS => {}
                _ => return Some(frame),
            }
        }
    }

    pub(crate) fn answer(&mut self, to: &Frame, kind: u16, payload: &[u8]) {
        let header = Header { reqno: to.header.reqno, class: class::RESP, kind, word: 0 };
        self.send(header, payload);
    }

    pub(crate) fn send(&mut self, header: Header, payload: &[u8]) {
        let _ = self.stream.write_all(&Frame { header, payload: payload.to_vec() }.emit());
    }

    /// Refuses a request.
    pub(crate) fn refuse(&mut self, request: &Frame, code: u32) {
        self.send(Header { class: class::ERROR, kind: 0, word: code, ..request.header }, &[]);
    }

    /// Sends bytes whose first carries descriptors.
    pub(crate) fn pass(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
        let sent = sendmsg(&self.stream, &[IoSlice::new(bytes)], &mut control, SendFlags::empty());
        assert_eq!(sent, Ok(bytes.len()));
    }

    pub(crate) fn reply(&mut self, to: &Frame, result: i64, segments: Vec<Segment<'_>>) {
        let reply = Reply { result, drain: 0, fill: false, files: Vec::new(), segments };
        self.answer(to, kind::CALL, &reply.emit());
    }
}

pub(crate) struct Place {
    pub(crate) listener: UnixListener,
    directory: tempfile::TempDir,
}

pub(crate) fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    Place { listener: UnixListener::bind(directory.path().join("s")).unwrap(), directory }
}

impl Place {
    pub(crate) fn session(&self, retry: Retry, plain: bool) -> Session {
        Session::new(self.options(retry, plain))
    }

    pub(crate) fn options(&self, retry: Retry, plain: bool) -> Options {
        let path = self.directory.path().join("s").to_str().unwrap().as_bytes().to_vec();
        Options {
            url: Url::Unix(path),
            name: b"test".to_vec(),
            prefix: Vec::new(),
            retry,
            plain,
            host_descriptors: true,
            relay: None,
            interruption: None,
        }
    }
}

pub(crate) fn row(number: u32) -> &'static table::Row {
    table::lookup(number).unwrap()
}

pub(crate) fn lseek(session: &Session, offset: u64) -> Result<u64, Errno> {
    session.call(row(nr::LSEEK), [3, offset, 0, 0, 0, 0], &[]).and_then(|reply| reply.result)
}
