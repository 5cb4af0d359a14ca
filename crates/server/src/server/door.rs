//! Who comes in: connections are accepted, and have to introduce themselves in time.

use super::{HEIRS, Server};
use crate::credentials;
use crate::heirs::Heirs;
use crate::session::Session;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Connections accepted before the others have their turn.
const ACCEPTS: usize = 64;
/// How long a connection may take to introduce itself.
const HANDSHAKE_NS: u64 = 10_000_000_000;
/// So many that may not have a handshake at once.
const NAMELESS_HEIRS: usize = 256;

impl Server {
    pub(super) fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            match self.listener.accept() {
                Ok(stream) => self.welcome(stream, false),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::MFILE | Errno::NFILE) => {
                    // Taken and closed: left in the queue, it would wake us for ever.
                    tracing::warn!("no descriptors left: a client is turned away");
                    self.spare = None;
                    drop(self.listener.accept());
                    self.spare = spare();
                    return;
                }
                Err(_) => return,
            }
        }
    }

    /// Takes children of processes that have become another user from now on.
    pub(crate) fn take_heirs(&mut self) {
        let Some(path) = self.listener.path().filter(|_| self.heirs.is_none()) else { return };
        let watched = Heirs::listen(path).and_then(|heirs| {
            epoll::add(&self.epoll, &heirs, EventData::new_u64(HEIRS), EventFlags::IN)?;
            Ok(heirs)
        });
        match watched {
            Ok(heirs) => self.heirs = Some(heirs),
            Err(errno) => {
                tracing::warn!("children of processes that become another user cannot connect: {errno}")
            }
        }
    }

    pub(super) fn accept_heirs(&mut self) {
        for _ in 0..ACCEPTS {
            let Some(Ok(stream)) = self.heirs.as_ref().map(Heirs::accept) else { return };
            // Anybody can come here: who has no cookie must not use up the descriptors.
            let waiting = self
                .nameless
                .iter()
                .filter(|(_, id)| self.sessions.get(*id).is_some_and(|one| one.heir && one.pid.is_none()));
            if waiting.count() < NAMELESS_HEIRS {
                self.welcome(stream, true);
            }
        }
    }

    fn welcome(&mut self, stream: OwnedFd, heir: bool) {
        let who = match self.listener.is_unix() {
            true => credentials::of_peer(&stream)
                .map(|who| if self.is_root { credentials::as_root(who) } else { who }),
            false => Ok(credentials::of_stranger()),
        };
        let Ok(who) = who else { return };
        self.last_session += 1;
        let id = self.last_session;
        if epoll::add(&self.epoll, &stream, EventData::new_u64(id), EventFlags::IN).is_err() {
            return;
        }
        tracing::debug!("client {id}: host process {}, uid {}", who.host_pid, who.uid);
        let mut session = Session::new(stream, who);
        session.heir = heir;
        session.out.raw(crate::BANNER.to_string().as_bytes());
        self.sessions.insert(id, session);
        self.nameless.push_back((self.now.mono_ns.saturating_add(HANDSHAKE_NS), id));
    }

    pub(super) fn expire(&mut self) {
        while let Some(&(deadline, id)) = self.nameless.front() {
            let done = self.sessions.get(id).is_none_or(|session| session.pid.is_some());
            if !done && deadline > self.now.mono_ns {
                break;
            }
            self.nameless.pop_front();
            if !done {
                tracing::info!("client {id}: no handshake in time; closed");
                self.close(id);
            }
        }
        for pid in self.preforks.take_expired(self.now.mono_ns) {
            self.kernel.detach(pid);
        }
    }
}

/// A descriptor that can be done without.
pub(super) fn spare() -> Option<OwnedFd> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty()).ok()
}
