//! A session: what its threads share.

use crate::crowd::Crowd;
use crate::gather::Memory;
use crate::handover::Handover;
use crate::interruption::Interruption;
use crate::lane::Door;
use crate::lock_unsafe::Lock;
use crate::passed::Passed;
use crate::relay::Relay;
use crate::retry::Retry;
use crate::slot::{Answer, Slot};
use crate::sys::{self, AtomicU32};
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use wire::url::Url;
use wire::{Decoder, option};

/// The name of a process, at most 15 bytes (`TASK_COMM_LEN`), and other things that the user chose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the server is.
    pub url: Url,
    /// The program's name.
    pub name: Vec<u8>,
    /// The prefix under which the program sees the rump kernel's paths; empty where there is none.
    pub prefix: Vec<u8>,
    /// What to do when the connection is lost, until [`Session::set_retry`] says otherwise.
    pub retry: Retry,
    /// Speak plain rump_sp 0.4 even with a server that knows more.
    pub plain: bool,
    /// The program's rump descriptors are host descriptors, where they can be passed; otherwise they are numbers of the
    /// rump kernel alone, which closes them by close(2).
    pub host_descriptors: bool,
    /// What to start where the server should be and is not.
    pub relay: Option<Relay>,
    /// How a thread that waits learns of signals; `None`: their handlers are deferred, and end interruptible host calls.
    pub interruption: Option<&'static dyn Interruption>,
}

/// A session with a rump kernel.
#[derive(Debug)]
pub struct Session {
    pub(crate) options: Options,
    pub(crate) state: Lock<State>,
    /// Held by the leader.
    pub(crate) reader: Lock<Reader>,
    /// Held while a frame is sent, so that frames do not mix.
    pub(crate) sender: Lock<()>,
    /// Counts up whenever a thread has done with connecting.
    pub(crate) settled: AtomicU32,
    /// Counts connections.
    generation: AtomicU32,
    /// 1: nobody reads, because another program is about to take over the connection.
    pub(crate) suspended: AtomicU32,
}

/// Where the connection stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// None yet.
    Fresh,
    /// Connected; the server's banner has not been read.
    Silent {
        /// The connection's descriptor.
        socket: u32,
        /// When the connection was made, by CLOCK_MONOTONIC.
        since: u64,
    },
    /// Connected, and the banner was read.
    Up {
        /// The connection's descriptor. It is closed by [`Session::lose`] alone: where the program's dup2 has taken its
        /// number, it is the program's.
        socket: u32,
        /// The server takes CALL frames.
        extended: bool,
    },
    /// Lost.
    Lost,
    /// Lost, and given up.
    Given,
}

/// How the session introduces itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Greeting {
    Guest,
    Fork([u8; 16]),
    /// As `Fork`; and the program is another one meanwhile.
    Exec([u8; 16]),
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) greeting: Greeting,
    /// What to do when the connection is lost.
    pub(crate) retry: Retry,
    /// Bytes that go in front of the next request.
    pub(crate) first: Vec<u8>,
    /// The number of the handshake among them.
    pub(crate) handshake: u64,
    /// What comes until the handshake is answered may be for the program that ran before.
    pub(crate) inherits: bool,
    /// The number of the next request.
    pub(crate) reqno: u64,
    /// A thread is connecting, or waiting for the server to come back.
    pub(crate) is_connecting: bool,
    /// When to give up a lost server.
    pub(crate) trying_until: Option<u64>,
    /// When to tell the user again that it is lost.
    pub(crate) remind_at: u64,
    /// Unanswered requests.
    pub(crate) waiting: Vec<(u64, Arc<Slot>)>,
    /// Memory that was mapped for the kernel.
    pub(crate) given: Memory,
    pub(crate) lane: Door,
}

/// What has been read.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) decoder: Decoder,
    /// Descriptors that belong to frames not yet complete.
    pub(crate) fds: Passed,
    /// The last answer that was slept for came quickly.
    pub(crate) quick: bool,
    /// Whether others need the core.
    pub(crate) crowd: Crowd,
}

impl Phase {
    /// Connected just now.
    pub(crate) fn silent(socket: u32) -> Self {
        Self::Silent { socket, since: host::monotonic_ns() }
    }

    /// The connection's descriptor is another number from now on.
    fn moved(&mut self, number: u32) {
        match self {
            Self::Silent { socket, .. } | Self::Up { socket, .. } => *socket = number,
            Self::Fresh | Self::Lost | Self::Given => {}
        }
    }
}

impl State {
    pub(crate) fn new(greeting: Greeting, retry: Retry) -> Self {
        Self {
            phase: Phase::Fresh,
            greeting,
            retry,
            first: Vec::new(),
            handshake: 0,
            inherits: false,
            reqno: 1,
            is_connecting: false,
            trying_until: None,
            remind_at: 0,
            waiting: Vec::new(),
            given: Memory::default(),
            lane: Door::Closed(0),
        }
    }

    pub(crate) fn next_reqno(&mut self) -> u64 {
        let reqno = self.reqno;
        self.reqno += 1;
        reqno
    }

    pub(crate) fn socket(&self) -> Option<u32> {
        match self.phase {
            Phase::Silent { socket, .. } | Phase::Up { socket, .. } => Some(socket),
            Phase::Fresh | Phase::Lost | Phase::Given => None,
        }
    }
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { decoder: Decoder::default(), fds: Passed::default(), quick: false, crowd: Crowd::new() }
    }
}

impl Session {
    /// A session that is not connected yet; the first call connects, or [`Session::open_now`].
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with(options, Greeting::Guest)
    }

    /// The session of a forked child, which its parent announced with [`Session::prefork`].
    #[must_use]
    pub fn forked(options: Options, auth: [u8; 16]) -> Self {
        Self::with(options, Greeting::Fork(auth))
    }

    /// The session of a program that a forked child runs before it has introduced itself.
    #[must_use]
    pub fn executed(options: Options, auth: [u8; 16]) -> Self {
        Self::with(options, Greeting::Exec(auth))
    }

    fn with(options: Options, greeting: Greeting) -> Self {
        let state = State::new(greeting, options.retry);
        Self {
            options,
            state: Lock::new(state),
            reader: Lock::new(Reader::new()),
            sender: Lock::new(()),
            settled: AtomicU32::new(0),
            generation: AtomicU32::new(0),
            suspended: AtomicU32::new(0),
        }
    }

    /// The session of the program that ran in this process before. The server is told the new name by
    /// [`Session::announce`] or [`Session::introduce`].
    ///
    /// # Errors
    /// `EBADF`: there is no such descriptor.
    pub fn adopted(options: Options, handover: Handover) -> Result<Self, Errno> {
        let Handover { fd, reqno, extended } = handover;
        host::fcntl(fd, abi::raw::general::F_SETFD, abi::raw::general::FD_CLOEXEC as usize)?;
        let session = Self::new(options);
        {
            let mut state = session.state.lock();
            state.reqno = reqno;
            state.phase = Phase::Up { socket: fd, extended };
            state.inherits = true;
            session.rename(&mut state, extended);
        }
        Ok(session)
    }

    /// Connects now, so that a missing server is noticed before the program starts.
    ///
    /// # Errors
    /// The host's, e.g. `ENOENT`, `ECONNREFUSED`.
    pub fn open_now(&self) -> Result<(), Errno> {
        let mut state = self.state.lock();
        if let Phase::Fresh = state.phase {
            state.phase = Phase::silent(self.connect()?);
        }
        Ok(())
    }

    /// What the user chose.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Which connection this is: it counts up whenever one is lost.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state.lock().socket().is_some()
    }

    /// Whether the session introduced itself: the rump kernel has a process for it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let state = self.state.lock();
        matches!(state.phase, Phase::Up { .. }) && state.first.is_empty()
    }

    /// The authentication of a FORK handshake that has not been made yet.
    #[must_use]
    pub fn fork_auth(&self) -> Option<[u8; 16]> {
        let state = self.state.lock();
        match (&state.greeting, &state.phase) {
            (Greeting::Fork(auth) | Greeting::Exec(auth), Phase::Fresh | Phase::Silent { .. }) => Some(*auth),
            _ => None,
        }
    }

    /// The connection's descriptor, if the next program of this process could go on with it: nothing is under way on
    /// it, and the server is as plain as the options say, which are all that the next program knows.
    #[must_use]
    pub fn handover(&self) -> Option<u32> {
        let reader = self.reader.try_lock()?;
        let state = self.state.lock();
        let idle = reader.decoder.is_empty() && state.waiting.is_empty() && state.first.is_empty();
        match state.phase {
            Phase::Up { socket, extended } if idle && extended != self.options.plain => Some(socket),
            _ => None,
        }
    }

    /// The number of the session's own descriptor.
    #[must_use]
    pub fn own_descriptor(&self) -> Option<u32> {
        self.state.lock().socket()
    }

    /// Moves the session's own descriptor to another number, because the program wants this one.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn move_own(&self, from: u32) -> Result<(), Errno> {
        // Nobody may be sending or reading by the old number.
        let _sending = self.sender.lock();
        let mut state = self.state.lock();
        if state.socket() != Some(from) {
            return Ok(());
        }
        state.phase.moved(crate::connect::at_the_top(from, Some(from))?.into_number());
        Ok(())
    }

    /// Moves the session's own descriptor to a number from `least` on, because the program wants all below. Where a thread waits for
    /// the kernel just now, it stays.
    ///
    /// # Errors
    /// `EINVAL`, `EMFILE`: `RLIMIT_NOFILE` does not reach so far.
    pub fn move_own_above(&self, least: u32) -> Result<(), Errno> {
        // Nobody may be sending or reading by the old number.
        let Some(_reading) = self.reader.try_lock() else { return Ok(()) };
        let _sending = self.sender.lock();
        let mut state = self.state.lock();
        let Some(from) = state.socket().filter(|&number| number < least) else { return Ok(()) };
        state.phase.moved(host::dup_above(from, least)?.into_number());
        sys::close(from)
    }

    /// The connection is gone: who waits is told, and it is not used any more.
    pub(crate) fn lose(&self, state: &mut State) {
        let Some(socket) = state.socket() else { return };
        if state.retry == Retry::Die {
            host::exit_group(1);
        }
        // The leader may be blocked in it, and keeps it open for the server as long.
        let _ = sys::shutdown(socket);
        let _ = sys::close(socket);
        state.phase = Phase::Lost;
        state.greeting = Greeting::Guest;
        state.inherits = false;
        state.first.clear();
        state.lane = Door::Closed(0);
        self.generation.fetch_add(1, Ordering::Relaxed);
        for (_, slot) in state.waiting.drain(..) {
            slot.put(Answer::Lost);
        }
    }

    /// What to do from now on when the connection is lost.
    pub fn set_retry(&self, retry: Retry) {
        self.state.lock().retry = retry;
    }

    /// What OPTIONS says.
    pub(crate) fn wanted(&self) -> Vec<u8> {
        let bits = match self.options.url {
            Url::Unix(_) if self.options.host_descriptors => {
                option::CALL | option::FILES | option::PREFIX | option::LONE
            }
            _ => option::CALL | option::PREFIX,
        };
        [&bits.to_le_bytes()[..], &self.options.prefix].concat()
    }
}
