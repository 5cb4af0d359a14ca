//! One client's connection.

use crate::lane::Lane;
use crate::outbox::Outbox;
use crate::space::{self, Space};
use foldhash::HashMap;
use kernel::{CallId, Copyin, Credentials, Pid};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, UCred};
use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use wire::relay::Token;
use wire::{Decoder, Header, Message, class};

/// Above this many unsent bytes a client's requests wait.
const OUTBOX_HIGH: usize = 1 << 20;
/// Above this many the client is dropped: answers to calls that it already made could fill the memory.
const OUTBOX_MAX: usize = 128 << 20;
/// Above this many unanswered calls a client's requests wait.
const CALLS_MAX: usize = 8192;
/// More received descriptors that no frame claims end the session.
const UNCLAIMED_MAX: usize = 1024;

/// What is read is copied up to this length, so that a session holds little memory between its requests.
const SHORT: usize = 8 << 10;

/// Names a session for the life of the server.
pub(crate) type SessionId = u64;

/// One client's connection.
pub(crate) struct Session {
    pub(crate) stream: OwnedFd,
    pub(crate) who: Credentials,
    /// Who sent what was read last, while it is asked for (`SO_PASSCRED`).
    pub(crate) sender: Option<UCred>,
    /// It came as a child that was announced, and may be nothing else.
    pub(crate) heir: bool,
    /// Its process, once a handshake made one.
    pub(crate) pid: Option<Pid>,
    /// Whether its files are host descriptors.
    pub(crate) files: bool,
    /// The relay that holds them, if one does.
    pub(crate) relay: Option<Token>,
    /// Whether it may still choose how its files live.
    pub(crate) fresh: bool,
    pub(crate) out: Outbox,
    /// Calls not answered yet, by the client's number.
    pub(crate) calls: HashMap<u64, CallId>,
    pub(crate) calls_waiting: usize,
    /// What the client was asked for, by our number.
    pub(crate) copyins: HashMap<u64, (CallId, Copyin)>,
    /// Descriptors that arrived and that no CALL has claimed yet.
    pub(crate) received: VecDeque<OwnedFd>,
    /// To be closed once the outbox is empty.
    pub(crate) ending: bool,
    /// What epoll is asked to tell.
    pub(crate) interest: EventFlags,
    /// Whether it waits for its turn.
    pub(crate) queued: bool,
    /// Whether it is to be looked after at the end of the turn.
    pub(crate) touched: bool,
    /// What was read and not served.
    pub(crate) decoder: Decoder,
    /// Memory for its calls, once it asked for some.
    pub(crate) lane: Option<Lane>,
    /// Something was sent that no call waits for: who reads its answer there reads that first.
    pub(crate) told: bool,
    last_reqno: u64,
}

/// The end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client closed the connection or died.
    Eof,
    /// The host says so.
    Host(Errno),
    /// The client sent more descriptors than it explained.
    Descriptors,
}

impl Session {
    /// A connection that was just accepted.
    pub(crate) fn new(stream: OwnedFd, who: Credentials) -> Self {
        Self {
            stream,
            who,
            sender: None,
            heir: false,
            pid: None,
            files: false,
            relay: None,
            fresh: true,
            out: Outbox::default(),
            calls: HashMap::default(),
            calls_waiting: 0,
            copyins: HashMap::default(),
            received: VecDeque::new(),
            ending: false,
            interest: EventFlags::IN,
            queued: false,
            touched: false,
            decoder: Decoder::default(),
            lane: None,
            told: false,
            last_reqno: 0,
        }
    }

    /// Reads once: into `space`, or behind the part of a frame that is there already.
    ///
    /// # Errors
    /// The session is over.
    pub(crate) fn read(&mut self, space: &mut Space) -> Result<(), Ended> {
        let mut control = [MaybeUninit::uninit();
            rustix::cmsg_space!(ScmRights(crate::outbox::FDS_MAX), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut control);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let begun = !self.decoder.is_empty();
        let room = match begun {
            true => self.decoder.space(self.decoder.missing().clamp(SHORT, space::SIZE)),
            false => space.next().as_mut_slice(),
        };
        let got = match rustix::net::recvmsg(&self.stream, &mut [IoSliceMut::new(room)], &mut control, flags)
        {
            Ok(got) => got,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(errno) => return Err(Ended::Host(errno)),
        };
        for message in control.drain() {
            match message {
                RecvAncillaryMessage::ScmRights(fds) => self.received.extend(fds),
                RecvAncillaryMessage::ScmCredentials(sender) => self.sender = Some(sender),
                _ => {}
            }
        }
        match got.bytes {
            0 => return Err(Ended::Eof),
            _ if self.received.len() > UNCLAIMED_MAX => return Err(Ended::Descriptors),
            len if begun => self.decoder.filled(len),
            len if len <= SHORT => self.decoder.push(&space.next()[..len]),
            // Too long to be copied: the session keeps the space until it is served.
            len => self.decoder = Decoder::of(space.take(), len),
        }
        // What the client asked there before it sent this.
        if let Some(lane) = &mut self.lane {
            lane.look();
        }
        Ok(())
    }

    /// Lets go of the memory of a long request that was served.
    pub(crate) fn slim(&mut self, space: &mut Space) {
        if self.decoder.is_empty() && self.decoder.room() > SHORT * 2 {
            space.give(std::mem::take(&mut self.decoder).into_bytes());
        }
    }

    /// Whether a request is there and may be served now.
    pub(crate) fn is_ready(&self) -> bool {
        self.takes_requests() && (self.decoder.has_frame() || self.lane.as_ref().is_some_and(Lane::has_asked))
    }

    /// Whether its requests are seen without a look at the socket.
    pub(crate) fn has_watched_lane(&self) -> bool {
        self.lane.as_ref().is_some_and(Lane::is_watched)
    }

    /// Whether more requests are welcome: not from a client that does not read its answers.
    pub(crate) fn takes_requests(&self) -> bool {
        !self.ending && self.out.queued() < OUTBOX_HIGH && self.calls_waiting < CALLS_MAX
    }

    /// Whether its unread answers take more memory than one client may have.
    pub(crate) fn is_hoarding(&self) -> bool {
        self.out.queued() > OUTBOX_MAX
    }

    /// What epoll should tell of it now.
    pub(crate) fn wanted(&self) -> EventFlags {
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN, self.takes_requests());
        wanted.set(EventFlags::OUT, self.out.queued() > 0);
        wanted
    }

    /// Answers a frame with a refusal ([`wire::error`]).
    pub(crate) fn refuse(&mut self, reqno: u64, code: u32) {
        self.out.frame(Header { reqno, class: class::ERROR, kind: 0, word: code }, &[]);
    }

    /// Answers a frame.
    pub(crate) fn respond(&mut self, reqno: u64, kind: u16, message: &Message) {
        self.out.frame(Header { reqno, class: class::RESP, kind, word: 0 }, &message.payload());
    }

    /// Sends a request of ours; answers its number.
    pub(crate) fn request(&mut self, kind: u16, word: u32, message: &Message) -> u64 {
        let reqno = self.last_reqno;
        self.last_reqno += 1;
        self.out.frame(Header::request(reqno, kind, word), &message.payload());
        reqno
    }
}
