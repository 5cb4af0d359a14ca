//! A client's connection, and the relay's to the server on its behalf.

use crate::files::Hint;
use crate::session::Session;
use foldhash::HashMap;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Above so many unsent bytes to one side, the other is not read.
const HIGH: usize = 1 << 20;

pub(super) struct Pair {
    pub(super) near: Session,
    pub(super) far: Session,
    /// What the client has to do at its descriptors, by the request whose answer will say so.
    pub(super) hints: HashMap<u64, Hint>,
}

impl Pair {
    pub(super) fn new(near: Session, far: Session) -> Self {
        Self { near, far, hints: HashMap::default() }
    }

    /// Sends what the sockets take, and asks epoll for what is wanted next.
    ///
    /// # Errors
    /// One side is gone.
    pub(super) fn flush(&mut self, epoll: &OwnedFd, name: u64) -> Result<(), Errno> {
        self.near.out.flush(&self.near.stream)?;
        self.far.out.flush(&self.far.stream)?;
        let (near, far) = (self.near.out.queued(), self.far.out.queued());
        for (session, own, others, name) in
            [(&mut self.near, near, far, name), (&mut self.far, far, near, name + 1)]
        {
            let mut wanted = EventFlags::empty();
            wanted.set(EventFlags::IN, others < HIGH);
            wanted.set(EventFlags::OUT, own > 0);
            if wanted != session.interest {
                session.interest = wanted;
                epoll::modify(epoll, &session.stream, EventData::new_u64(name), wanted)?;
            }
        }
        Ok(())
    }
}
