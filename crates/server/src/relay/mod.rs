//! The relay: for programs of one user whose server is reached over TCP, where no descriptors can be passed.
//!
//! It listens on a unix socket, as a server would, and has one connection to the server for each client, on which frames go
//! back and forth as they are, but for those that concern host descriptors: the pairs are made here (ARCHITECTURE.md,
//! Descriptors). One more connection of its own tells it of its files. Where programs' system calls are is answered
//! here, since that is about this machine's files.

mod far;
mod near;
mod pair;
mod place;

use crate::files::Files;
use crate::listen::{ListenError, Listener};
use crate::session::Session;
use crate::sitelists::SiteLists;
use crate::space::Space;
use crate::url::Url;
use crate::{clock, credentials, signals_unsafe};
use foldhash::HashMap;
use kernel::FileId;
use pair::Pair;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};
use wire::relay::Token;
use wire::{Header, kind};

const LISTENER: u64 = 0;
const THE_END: u64 = 1;
const FILES: u64 = 2;
const SITES: u64 = 3;
const CONTROL: u64 = 4;
/// A client's own connection; that to the server is the next number.
const FIRST_PAIR: u64 = 16;

const EVENTS: usize = 256;
/// How long a relay without clients stays.
const IDLE_NS: u64 = 5_000_000_000;

/// A relay that listens.
pub(crate) struct Relay {
    epoll: OwnedFd,
    listener: Listener,
    _signals: OwnedFd,
    far: SocketAddrV4,
    token: Token,
    /// Its own connection; none while the server is away.
    control: Option<Session>,
    pairs: HashMap<u64, Pair>,
    last_pair: u64,
    files: Files,
    /// What was last heard of a file's readiness, and when.
    newest: HashMap<FileId, (u64, u16)>,
    site_lists: SiteLists,
    /// Who asked for which site list.
    askers: HashMap<u64, (u64, u64)>,
    space: Space,
    touched: Vec<u64>,
    idle_until: u64,
    ended: bool,
}

/// Runs the relay to the server at `far` until nobody has needed it for a while. `ready` is called once it listens; if another one
/// listens already, that is enough.
///
/// # Errors
/// Why it cannot listen, as one line.
pub(crate) fn run(far: SocketAddrV4, ready: impl FnOnce() -> std::io::Result<()>) -> Result<(), String> {
    let host = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    let signals = signals_unsafe::termination().map_err(host("signalfd"))?;
    let path = place::socket(far)?;
    let listener = match Listener::bind(&Url::Unix(path)) {
        Err(ListenError::InUse(_)) => return ready().map_err(|error| error.to_string()),
        listener => listener.map_err(|error| error.to_string())?,
    };
    let mut relay = Relay::new(far, listener, signals).map_err(host("epoll"))?;
    ready().map_err(|error| format!("going into the background: {error}"))?;
    relay.serve().map_err(host("epoll_wait"))
}

impl Relay {
    fn new(far: SocketAddrV4, listener: Listener, signals: OwnedFd) -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (files, site_lists) = (Files::new()?, SiteLists::new()?);
        let watched = [
            (LISTENER, listener.as_fd()),
            (THE_END, signals.as_fd()),
            (FILES, files.as_fd()),
            (SITES, site_lists.as_fd()),
        ];
        for (name, fd) in watched {
            epoll::add(&epoll, fd, EventData::new_u64(name), EventFlags::IN)?;
        }
        let mut token = Token::default();
        rustix::rand::getrandom(&mut token, rustix::rand::GetRandomFlags::empty())?;
        Ok(Self {
            epoll,
            listener,
            _signals: signals,
            far,
            token,
            control: None,
            pairs: HashMap::default(),
            last_pair: FIRST_PAIR,
            files,
            newest: HashMap::default(),
            site_lists,
            askers: HashMap::default(),
            space: Space::default(),
            touched: Vec::new(),
            idle_until: clock::mono_ns() + IDLE_NS,
            ended: false,
        })
    }

    fn serve(&mut self) -> Result<(), Errno> {
        while !self.ended {
            let mut space = [MaybeUninit::<epoll::Event>::uninit(); EVENTS];
            let timeout = self.pairs.is_empty().then(|| clock::until(clock::mono_ns(), self.idle_until));
            let events = match epoll::wait(&self.epoll, &mut space[..], timeout.as_ref()) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => &mut [],
                Err(errno) => return Err(errno),
            };
            for event in events.iter() {
                self.take_event(event.data.u64(), event.flags);
            }
            self.flush();
            self.ended |= self.pairs.is_empty() && clock::mono_ns() >= self.idle_until;
        }
        Ok(())
    }

    fn take_event(&mut self, name: u64, flags: EventFlags) {
        match name {
            LISTENER => self.accept(),
            THE_END => self.ended = true,
            FILES => self.tell_closed(),
            SITES => self.answer_sites(),
            CONTROL => self.read_control(),
            name if name % 2 == 0 => self.read_near(name, flags),
            name => self.read_far(name - 1, flags),
        }
    }

    fn accept(&mut self) {
        while let Ok(stream) = self.listener.accept() {
            self.idle_until = clock::mono_ns() + IDLE_NS;
            // A client that is closed before it has seen a banner knows that there is no server.
            let Ok(who) = credentials::of_peer(&stream) else { continue };
            if self.control.is_none() && !self.connect_control() {
                continue;
            }
            let Some((far, banner)) = far::connect(self.far) else { continue };
            let mut pair = Pair::new(Session::new(stream, who.clone()), Session::new(far, who));
            pair.near.out.raw(&banner);
            self.last_pair += 2;
            let name = self.last_pair;
            let add = |session: &Session, name| {
                epoll::add(&self.epoll, &session.stream, EventData::new_u64(name), EventFlags::IN)
            };
            if add(&pair.near, name).and_then(|()| add(&pair.far, name + 1)).is_ok() {
                self.pairs.insert(name, pair);
                self.touched.push(name);
            }
        }
    }

    fn connect_control(&mut self) -> bool {
        let Some(control) = far::introduce(self.far, &self.token) else { return false };
        let added = epoll::add(&self.epoll, &control.stream, EventData::new_u64(CONTROL), EventFlags::IN);
        self.control = Some(control).filter(|_| added.is_ok());
        added.is_ok()
    }

    /// The server is gone: so are its files and everybody's connection.
    fn lose_server(&mut self) {
        self.control = None;
        self.pairs.clear();
        self.newest.clear();
        self.files.forget_all();
        self.idle_until = clock::mono_ns() + IDLE_NS;
    }

    /// Tells the server of closed files that nobody's request waits behind.
    fn tell_closed(&mut self) {
        let Some(control) = &mut self.control else { return drop(self.files.take_closed()) };
        for file in self.files.take_closed() {
            control.out.frame(Header::request(0, kind::GONE, 0), &file.0.to_le_bytes());
        }
    }

    fn end(&mut self, name: u64) {
        self.pairs.remove(&name);
        if self.pairs.is_empty() {
            self.idle_until = clock::mono_ns() + IDLE_NS;
        }
    }

    fn flush(&mut self) {
        if self.control.as_mut().is_some_and(|control| control.out.flush(&control.stream).is_err()) {
            self.lose_server();
        }
        for name in std::mem::take(&mut self.touched) {
            let Some(pair) = self.pairs.get_mut(&name) else { continue };
            if pair.flush(&self.epoll, name).is_err() {
                self.end(name);
            }
        }
    }
}
