//! Making a connection and introducing oneself.
//!
//! It may take long, and one thread does it at a time, holding no lock: others wait for what comes of it, and a signal
//! ends anybody's wait.

use crate::gather::Memory;
use crate::retry::SECOND_NS;
use crate::slot::{Answer, Slot};
use crate::state::{Greeting, Phase, Session, State};
use crate::sys;
use abi::Errno;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use host::{Fd, Part};
use wire::banner::{self, Banner};
use wire::{Header, Message, handshake, kind};

/// The library's own descriptors lie above those that programs usually count through, and below FD_SETSIZE and the
/// point where a process's descriptor table becomes dear to copy at each fork.
const TOP: u32 = 1024;
/// So many numbers are tried from there down.
const ROOM: u32 = 16;
/// A server that has not said what it is by then is none.
const BANNER_NS: u64 = 10 * SECOND_NS;
/// A server waits for a handshake for 10 s.
const STALE_NS: u64 = 5 * SECOND_NS;
/// How long to wait for the rest of a banner that has come in part.
const PART_NS: u64 = SECOND_NS / 1000;

/// What has to be done before requests can be sent.
#[derive(Debug, Clone, Copy)]
enum Step {
    Open,
    ReadBanner,
    Reconnect,
}

impl Session {
    /// The socket to send a request on, and whether the server takes CALL frames. Connects and reads the banner where
    /// that has not happened.
    ///
    /// # Errors
    /// `ENOTCONN`. `ERESTARTSYS`: a signal came first.
    pub(crate) fn ready(&self) -> Result<(u32, bool), Errno> {
        loop {
            let seen = self.settled.load(Ordering::Acquire);
            let (step, is_mine) = {
                let mut state = self.state.lock();
                let step = match state.phase {
                    Phase::Up { socket, extended } => return Ok((socket, extended)),
                    Phase::Given => return Err(Errno::ENOTCONN),
                    Phase::Fresh => Step::Open,
                    Phase::Silent { socket, since } if !state.is_connecting && is_stale(since) => {
                        let _ = host::close(socket);
                        state.phase = Phase::Fresh;
                        Step::Open
                    }
                    Phase::Silent { .. } => Step::ReadBanner,
                    Phase::Lost => Step::Reconnect,
                };
                (step, !core::mem::replace(&mut state.is_connecting, true))
            };
            let outcome = if is_mine { self.take_step(step) } else { self.wait_for_another(seen) };
            outcome.map_err(|errno| if errno == Errno::EINTR { Errno::ERESTARTSYS } else { errno })?;
        }
    }

    fn take_step(&self, step: Step) -> Result<(), Errno> {
        let outcome = match step {
            Step::Open => self.open(),
            Step::ReadBanner => self.learn_banner(BANNER_NS),
            Step::Reconnect => self.reconnect(),
        };
        self.state.lock().is_connecting = false;
        self.settled.fetch_add(1, Ordering::Release);
        sys::futex_wake(&self.settled, u32::MAX >> 1);
        outcome
    }

    fn wait_for_another(&self, seen: u32) -> Result<(), Errno> {
        self.wait_for_word(&self.settled, seen)
    }

    /// The first connection. The banner is not waited for.
    fn open(&self) -> Result<(), Errno> {
        let phase = match self.connect() {
            Ok(socket) => Phase::silent(socket),
            Err(Errno::EINTR) => return Err(Errno::EINTR),
            Err(_) => Phase::Lost,
        };
        self.state.lock().phase = phase;
        Ok(())
    }

    /// A connection, as its descriptor.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn connect(&self) -> Result<u32, Errno> {
        let socket = match &self.options.relay {
            Some(relay) => self.connect_to_relay(relay)?,
            None => self.connect_here()?,
        };
        let number = socket.number();
        Ok(at_the_top(number, None).unwrap_or(socket).into_number())
    }

    /// A connection to what the URL names.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn connect_here(&self) -> Result<Fd, Errno> {
        let (family, address) = self.options.url.sockaddr();
        let connected = host::socket_connect(family, &address);
        // Who holds the lock connects for the first time, as nobody's child.
        let is_announced = || {
            let state = self.state.try_lock();
            state.is_some_and(|state| matches!(state.greeting, Greeting::Fork(_) | Greeting::Exec(_)))
        };
        match connected {
            // What setuid(2) or chroot(2) has put out of reach.
            Err(errno @ (Errno::EACCES | Errno::ENOENT | Errno::ENOTDIR)) if is_announced() => {
                self.connect_as_heir().map_err(|_| errno)
            }
            connected => connected,
        }
    }

    /// Where the server takes children that were announced.
    fn connect_as_heir(&self) -> Result<Fd, Errno> {
        let (family, address) = self.options.url.heirs_sockaddr().ok_or(Errno::ENAMETOOLONG)?;
        let socket = host::socket_connect(family, &address)?;
        // Anybody may take such a name.
        let trusted = [0, host::geteuid()].contains(&host::peer_uid(socket.number())?);
        if trusted { Ok(socket) } else { Err(Errno::EACCES) }
    }

    /// Reads the banner and prepares the handshake, which goes in front of the first request. Without a banner the
    /// connection is lost.
    ///
    /// # Errors
    /// `EINTR`; `EPROTO`: it is no server that we understand.
    pub(crate) fn learn_banner(&self, within_ns: u64) -> Result<(), Errno> {
        let found = self.read_banner(within_ns);
        if found == Err(Errno::EINTR) {
            return Err(Errno::EINTR);
        }
        let mut state = self.state.lock();
        let (Some(socket), Ok(extended)) = (state.socket(), found) else {
            self.lose(&mut state);
            return Ok(());
        };
        let Some(extended) = extended else {
            self.lose(&mut state);
            state.phase = Phase::Given;
            return Err(Errno::EPROTO);
        };
        let extended = extended && !self.options.plain;
        state.phase = Phase::Up { socket, extended };
        self.prepare_introduction(&mut state, extended);
        Ok(())
    }

    /// Whether the server has extensions; `None`: it is none of ours.
    fn read_banner(&self, within_ns: u64) -> Result<Option<bool>, Errno> {
        let until = host::monotonic_ns().saturating_add(within_ns);
        loop {
            let now = host::monotonic_ns();
            // Each time anew: another thread may have moved it out of the program's way.
            let socket = self.state.lock().socket().filter(|_| now < until).ok_or(Errno::ENOTCONN)?;
            let mut line = [0; banner::LENGTH_MAX];
            let here = match host::peek(socket, &mut line) {
                Ok(0) => return Err(Errno::ENOTCONN),
                Ok(here) => here,
                Err(Errno::EAGAIN) => {
                    self.wait_readable(socket, until - now)?;
                    continue;
                }
                Err(errno) => return Err(errno),
            };
            let line = &mut line[..here];
            match line.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let line = &mut line[..=end];
                    host::read(socket, line)?;
                    let banner = Banner::parse(line).filter(|banner| banner.major == 0);
                    return Ok(banner.map(|banner| banner.has_extensions()));
                }
                None if here == banner::LENGTH_MAX => return Ok(None),
                None => self.pause(PART_NS)?,
            }
        }
    }

    fn prepare_introduction(&self, state: &mut State, extended: bool) {
        state.handshake = state.reqno;
        let name = |kind| Message::Name { kind, name: self.options.name.clone() };
        match state.greeting {
            Greeting::Guest => {
                state.say(kind::HANDSHAKE, handshake::GUEST, &name(handshake::GUEST).payload())
            }
            Greeting::Fork(auth) | Greeting::Exec(auth) => {
                let fork = Message::Fork { auth, cancel: false };
                state.say(kind::HANDSHAKE, handshake::FORK, &fork.payload());
            }
        }
        if let Greeting::Exec(_) = state.greeting {
            state.say(kind::HANDSHAKE, handshake::EXEC, &name(handshake::EXEC).payload());
        }
        if extended {
            state.say(kind::OPTIONS, 0, &self.wanted());
        }
    }

    /// As `prepare_introduction`, on the connection of the program before.
    pub(crate) fn rename(&self, state: &mut State, extended: bool) {
        state.handshake = state.reqno;
        let name = Message::Name { kind: handshake::EXEC, name: self.options.name.clone() };
        state.say(kind::HANDSHAKE, handshake::EXEC, &name.payload());
        if extended {
            state.say(kind::OPTIONS, 0, &self.wanted());
        }
    }

    /// Sends the introduction, if it was not sent yet, and does not wait for its answer.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn announce(&self) -> Result<(), Errno> {
        self.ready()?;
        self.send_introduction(None)
    }

    /// Sends the introduction, if it was not sent yet, and waits for its answer.
    ///
    /// # Errors
    /// `ENOTCONN`. What the server refuses it with: `ESRCH`, no such fork was announced.
    pub fn introduce(&self) -> Result<(), Errno> {
        self.ready()?;
        let slot = Arc::new(Slot::new(Memory::default()));
        let reqno = {
            let mut state = self.state.lock();
            if state.first.is_empty() {
                return Ok(());
            }
            let reqno = state.handshake;
            state.waiting.push((reqno, slot.clone()));
            reqno
        };
        self.send_introduction(Some(reqno))?;
        let Answer::Frame(frame) = self.wait(reqno, kind::HANDSHAKE, &slot) else {
            return Err(Errno::ENOTCONN);
        };
        match Message::parse(&frame) {
            Some(Message::HandshakeAnswer(0)) => Ok(()),
            Some(Message::HandshakeAnswer(error)) => Err(Errno::from_number(error)),
            _ => Err(frame.refusal().unwrap_or(Errno::EPROTO)),
        }
    }

    fn send_introduction(&self, awaited: Option<u64>) -> Result<(), Errno> {
        let _sending = self.sender.lock();
        let (socket, first) = {
            let mut state = self.state.lock();
            let socket = state.socket().ok_or(Errno::ENOTCONN)?;
            if awaited.is_some_and(|reqno| reqno != state.handshake) {
                // Lost meanwhile: the answer's slot was told.
                return Ok(());
            }
            (socket, core::mem::take(&mut state.first))
        };
        if !first.is_empty() && self.send(socket, &[Part::Ours(&first)], &[]).is_err() {
            self.lose(&mut self.state.lock());
            return Err(Errno::ENOTCONN);
        }
        Ok(())
    }
}

impl State {
    /// Puts a request in front of the next one.
    pub(crate) fn say(&mut self, kind: u16, word: u32, payload: &[u8]) {
        let header = Header::request(self.next_reqno(), kind, word).emit(payload.len());
        self.first.extend_from_slice(&header);
        self.first.extend_from_slice(payload);
    }
}

/// A copy of a descriptor of ours at a high number other than `except`.
///
/// # Errors
/// `EMFILE`: none is free.
pub(crate) fn at_the_top(fd: u32, except: Option<u32>) -> Result<Fd, Errno> {
    let top = host::descriptor_limit().min(TOP);
    (1..ROOM)
        .filter_map(|below| top.checked_sub(below))
        .filter(|number| Some(*number) != except)
        .find_map(|number| match host::dup_above(fd, number) {
            Ok(copy) if copy.number() < top => Some(copy),
            _ => None,
        })
        .ok_or(Errno::EMFILE)
}

/// Whether nothing was said on a connection for so long that the server may have given it up: a program may make its first call to
/// the rump kernel hours after its start.
fn is_stale(since: u64) -> bool {
    host::monotonic_ns().saturating_sub(since) > STALE_NS
}
