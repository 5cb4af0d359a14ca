//! The event loop: one thread that owns the kernel, the clients' connections and the ends of their files.

mod door;

use crate::clock;
use crate::disks::{Disks, Drives};
use crate::files::Files;
use crate::heirs::Heirs;
use crate::link::{LINK, Links, NetSpec};
use crate::listen::Listener;
use crate::memory::Memory;
use crate::prefork::Preforks;
use crate::remote::Remote;
use crate::session::{Ended, SessionId};
use crate::sessions::Sessions;
use crate::sitelists::SiteLists;
use crate::space::Space;
use crate::spin::Spin;
use foldhash::HashMap;
use kernel::{CallId, Kernel, Now, Pid};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

/// What epoll tells besides sessions.
const LISTENER: SessionId = 0;
const THE_END: SessionId = 1;
const FILES: SessionId = 2;
const SITES: SessionId = 3;
const DISKS: SessionId = 4;
const HEIRS: SessionId = 5;
const FIRST_SESSION: SessionId = 16;

/// Requests of one client served before the others have their turn.
const TURN: usize = 16;
const EVENTS: usize = 256;
/// So long a write is held back at most while there is something to do.
const HELD_NS: u64 = 2_000_000;

/// A server that listens.
pub struct Server {
    pub(crate) kernel: Kernel,
    pub(crate) memory: Memory,
    spin: Spin,
    pub(crate) now: Now,
    pub(crate) by_pid: HashMap<Pid, SessionId>,
    pub(crate) calls: HashMap<CallId, Pending>,
    pub(crate) last_call: u64,
    pub(crate) files: Files,
    pub(crate) preforks: Preforks,
    /// Descriptors on their way over a rump AF_UNIX socket.
    pub(crate) passed: HashMap<u64, OwnedFd>,
    pub(crate) last_passed: u64,
    pub(crate) site_lists: SiteLists,
    pub(crate) disks: Disks,
    pub(crate) remote: Remote,
    /// Who runs the server is root in its kernel.
    pub(crate) is_root: bool,
    pub(crate) halted: bool,
    pub(crate) links: Links,
    epoll: Rc<OwnedFd>,
    listener: Listener,
    /// Once a process has become another user.
    heirs: Option<Heirs>,
    /// Watched as long as they are open.
    _enders: (OwnedFd, Option<OwnedFd>),
    /// Held for the moment when there are no descriptors left, to be able to turn a client away.
    spare: Option<OwnedFd>,
    last_session: SessionId,
    /// Sessions that have not introduced themselves, and until when they may.
    nameless: VecDeque<(u64, SessionId)>,
    /// Sessions of which epoll has told.
    to_read: Vec<(SessionId, EventFlags)>,
    last_asker: Option<SessionId>,
    /// Sessions with requests read and not served.
    ready: VecDeque<SessionId>,
    space: Space,
    /// Sessions whose lanes are watched.
    pub(crate) watched: Vec<SessionId>,
    /// Payloads from and for lanes.
    pub(crate) lane_space: Vec<u8>,
    /// Given up last: who waits for the end of its connection (rump halt) may start another server in the place of this one then.
    pub(crate) sessions: Sessions,
}

/// A call that is not answered yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) session: SessionId,
    pub(crate) reqno: u64,
    /// Asked by a CALL frame, not by SYSCALL.
    pub(crate) call_frame: bool,
    /// Asked by this cell of the session's lane.
    pub(crate) cell: Option<usize>,
}

impl Server {
    /// A server around `kernel`, which knows of these drives. Ends when `signals` or `owner` become readable.
    ///
    /// # Errors
    /// As epoll_create1(2), epoll_ctl(2).
    pub(crate) fn new(
        mut kernel: Kernel,
        listener: Listener,
        signals: OwnedFd,
        owner: Option<OwnedFd>,
        drives: Drives,
    ) -> Result<Self, Errno> {
        let epoll = Rc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let files = Files::new()?;
        let memory = Memory::default();
        kernel.share_memory(Box::new(memory.clone()));
        let site_lists = SiteLists::new()?;
        let disks = Disks::new(drives)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        epoll::add(&epoll, &signals, EventData::new_u64(THE_END), EventFlags::IN)?;
        if let Some(owner) = &owner {
            epoll::add(&epoll, owner, EventData::new_u64(THE_END), EventFlags::IN)?;
        }
        epoll::add(&epoll, files.as_fd(), EventData::new_u64(FILES), EventFlags::IN)?;
        epoll::add(&epoll, site_lists.as_fd(), EventData::new_u64(SITES), EventFlags::IN)?;
        epoll::add(&epoll, disks.as_fd(), EventData::new_u64(DISKS), EventFlags::IN)?;
        Ok(Self {
            kernel,
            memory,
            spin: Spin::default(),
            now: clock::now(),
            sessions: Sessions::default(),
            by_pid: HashMap::default(),
            calls: HashMap::default(),
            last_call: 0,
            files,
            preforks: Preforks::default(),
            passed: HashMap::default(),
            last_passed: 0,
            site_lists,
            disks,
            remote: Remote::default(),
            is_root: false,
            halted: false,
            links: Links::new(epoll.clone()),
            epoll,
            listener,
            heirs: None,
            _enders: (signals, owner),
            spare: door::spare(),
            last_session: FIRST_SESSION,
            nameless: VecDeque::new(),
            to_read: Vec::new(),
            last_asker: None,
            ready: VecDeque::new(),
            space: Space::default(),
            watched: Vec::new(),
            lane_space: Vec::new(),
        })
    }

    /// Makes a link. Relative paths start at `directory`.
    ///
    /// # Errors
    /// What cannot be done, as one line.
    pub fn add_link(&mut self, spec: &NetSpec, directory: &Path) -> Result<(), String> {
        self.links.add(&mut self.kernel, spec, directory)
    }

    /// Serves until a signal or rump_halt ends it.
    ///
    /// # Errors
    /// As epoll_wait(2).
    pub fn run(&mut self) -> Result<(), Errno> {
        while !self.halted {
            let looks = self.spin.looks(self.now.mono_ns);
            if looks {
                let before = clock::mono_ns();
                // On one core the client needs it to ask.
                rustix::thread::sched_yield();
                self.spin.yielded(before, clock::mono_ns());
            }
            let mut asked = self.read_sessions(looks);
            let mut waits = !looks && !asked && self.links.sleep();
            self.disks.hand_out_held(if waits { u64::MAX } else { self.now.mono_ns.saturating_sub(HELD_NS) });
            if waits {
                self.leave_lanes();
                asked = self.is_asked();
                waits = !asked;
            }
            let told = self.wait(waits)?;
            self.links.wake();
            let told = told || self.links.has_input();
            if asked || told {
                if looks {
                    self.spin.found();
                }
                self.spin.worked(self.now.mono_ns);
            } else if looks && !self.is_due() {
                continue;
            }
            self.turn();
        }
        tracing::info!("the end: {} clients", self.sessions.len());
        self.finish();
        Ok(())
    }

    /// What was written and not carried out is, and file systems are taken away.
    fn finish(&mut self) {
        self.kernel.halt();
        self.apply_effects();
        self.disks.finish();
    }

    fn take_disks(&mut self) {
        for done in self.disks.take_done() {
            match done.call {
                Some(call) => self.kernel.disk_done(call, done.answer),
                None => self.kernel.disk_posted(done.worker, done.weight, done.answer),
            }
        }
    }

    /// Reads the sessions that epoll has told of. Whoever asked last asks next as often as not: while requests keep
    /// coming, its socket is looked at without asking epoll first. Answers whether a request has come.
    fn read_sessions(&mut self, requests_keep_coming: bool) -> bool {
        self.look_at_lanes(if requests_keep_coming { self.spin.glances() } else { 1 });
        if let Some(id) = self.last_asker.filter(|_| requests_keep_coming && self.to_read.is_empty())
            && self.sessions.get(id).is_some_and(|session| !session.has_watched_lane())
        {
            self.to_read.push((id, EventFlags::IN));
        }
        let mut to_read = std::mem::take(&mut self.to_read);
        for (id, flags) in to_read.drain(..) {
            self.read(id, flags);
        }
        self.to_read = to_read;
        self.is_asked()
    }

    /// Whether requests have been read that are not served.
    pub(crate) fn is_asked(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes note of what has happened on the host, waiting for it if nothing else is to be done. Sessions are read by the
    /// next turn: so every descriptor that was closed before a request was sent is known of when that request, which was read
    /// before this, is served. Answers whether anything has happened.
    fn wait(&mut self, waits: bool) -> Result<bool, Errno> {
        let mut space = [MaybeUninit::<epoll::Event>::uninit(); EVENTS];
        let timeout = if waits { self.timeout() } else { Some(clock::until(0, 0)) };
        let events = match epoll::wait(&self.epoll, &mut space[..], timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => &mut [],
            Err(errno) => return Err(errno),
        };
        self.now = clock::now();
        for event in events.iter() {
            self.take_event(event.data.u64(), event.flags);
        }
        if events.len() == EVENTS {
            // There may be more, closed descriptors among them.
            self.take_closed();
        }
        Ok(!events.is_empty())
    }

    fn take_event(&mut self, id: SessionId, flags: EventFlags) {
        match id {
            LISTENER => self.accept(),
            HEIRS => self.accept_heirs(),
            THE_END => self.halted = true,
            FILES => self.take_closed(),
            SITES => self.answer_sites(),
            DISKS => self.take_disks(),
            id if id & LINK != 0 => self.links.event(id, flags),
            // Its process is gone, and so are its lone files and locks before a request is served that was sent later.
            id if flags.contains(EventFlags::HUP) => self.read(id, flags),
            id => self.to_read.push((id, flags)),
        }
    }

    fn take_closed(&mut self) {
        for file in self.files.take_closed() {
            self.kernel.file_gone(file);
        }
    }

    /// One turn: what is due, what was asked, what is to be sent, in this order.
    fn turn(&mut self) {
        self.kernel.advance(self.now);
        self.links.receive(&mut self.kernel);
        self.expire();
        self.apply_effects();
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop_front() else { break };
            self.serve_turn(id);
        }
        self.links.send(&mut self.kernel, self.now.mono_ns);
        // A client that cannot be sent to is dropped, which may answer others' calls.
        self.flush();
        while self.apply_effects() {
            self.flush();
        }
    }

    /// Whether there is something to do without any event.
    fn is_due(&self) -> bool {
        let due = self.kernel.next_deadline().into_iter().chain(self.links.next_deadline()).min();
        !self.ready.is_empty() || due.is_some_and(|due| due <= self.now.mono_ns)
    }

    fn timeout(&self) -> Option<rustix::event::Timespec> {
        let nameless = self.nameless.front().map(|(deadline, _)| *deadline);
        let links = self.links.next_deadline();
        let deadline = [self.kernel.next_deadline(), links, self.preforks.next_deadline(), nameless]
            .into_iter()
            .flatten()
            .min()?;
        Some(clock::until(clock::now().mono_ns, deadline))
    }

    fn read(&mut self, id: SessionId, flags: EventFlags) {
        if flags.contains(EventFlags::OUT) {
            // To be flushed at the end of the turn.
            self.sessions.get_mut(id);
        }
        let Some(session) = self.sessions.look_at(id) else { return };
        let gone = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        // What was read is served before more is read, so that a client's requests do not pile up here.
        if !gone && (session.is_ready() || !session.takes_requests()) {
            return;
        }
        match session.read(&mut self.space) {
            Ok(()) => {
                self.last_asker = Some(id);
                if self.spin.looks(self.now.mono_ns) {
                    self.watch_lane(id);
                }
                self.ready_if_asking(id);
            }
            Err(ended) => self.end(id, ended),
        }
    }

    /// Queues the session if a whole request of its is there.
    pub(crate) fn ready_if_asking(&mut self, id: SessionId) {
        let Some(session) = self.sessions.look_at(id) else { return };
        if session.is_ready() && !std::mem::replace(&mut session.queued, true) {
            self.ready.push_back(id);
        }
    }

    /// Serves some requests of one session; the rest waits behind those of others.
    fn serve_turn(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.queued = false;
        // Before what came by the socket: it may be the CANCEL of one of these.
        self.serve_lane(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        // Out of the session meanwhile: a frame is served where it was read to.
        let mut decoder = std::mem::take(&mut session.decoder);
        for _ in 0..TURN {
            match self.sessions.get_mut(id) {
                Some(session) if session.takes_requests() => {}
                Some(_) => break,
                None => return,
            }
            match decoder.next_view() {
                Ok(Some(frame)) => {
                    self.serve(id, frame);
                    self.apply_effects();
                }
                Ok(None) => break,
                Err(bad) => {
                    tracing::info!("client {id}: a frame of {} bytes; closed", bad.0);
                    return self.close(id);
                }
            }
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.decoder = decoder;
            session.slim(&mut self.space);
        }
        self.ready_if_asking(id);
    }

    fn end(&mut self, id: SessionId, ended: Ended) {
        tracing::debug!("client {id}: {ended:?}");
        self.close(id);
    }

    /// Whether clients are of this host, so that descriptors can be passed.
    pub(crate) fn serves_unix(&self) -> bool {
        self.listener.is_unix()
    }

    /// The session is over: its process goes, its calls are forgotten.
    pub(crate) fn close(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(id) else { return };
        self.calls.retain(|_, pending| pending.session != id);
        for file in self.remote.leave(id) {
            self.kernel.file_gone(file);
        }
        if let Some(pid) = session.pid {
            self.by_pid.remove(&pid);
            self.preforks.orphan(pid, self.now.mono_ns);
            self.kernel.detach(pid);
        }
    }

    /// Sends what is to be sent, and asks epoll for what is wanted next.
    fn flush(&mut self) {
        while let Some((id, session)) = self.sessions.take_touched() {
            let sent = session.out.flush(&session.stream);
            let done = session.ending && session.out.queued() == 0;
            if sent.is_err() || done || session.is_hoarding() {
                self.close(id);
                continue;
            }
            let wanted = session.wanted();
            if wanted != session.interest {
                session.interest = wanted;
                let _ = epoll::modify(&self.epoll, &session.stream, EventData::new_u64(id), wanted);
            }
            self.ready_if_asking(id);
        }
    }
}
