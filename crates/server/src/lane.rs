//! Calls by shared memory ([`wire::lane`]).
//!
//! While requests keep coming the server looks for them, and then it watches the lanes of the sessions that ask. Before it
//! sleeps it leaves them: their clients ask by the socket, which wakes it.

use crate::server::Server;
use crate::session::SessionId;
use crate::shared_unsafe::{Mapping, common_memory};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use wire::lane::{self, Taken};
use wire::{Frame, Header, kind};

/// Lanes watched at once; looking at one takes some nanoseconds.
const WATCHED_MAX: usize = 64;

/// A session's lane.
pub(crate) struct Lane {
    memory: Mapping,
    /// Cells with requests that were taken note of and not served.
    asked: u32,
    watched: bool,
}

impl Lane {
    /// A lane, and the file for the client to map.
    ///
    /// # Errors
    /// As memfd_create(2), mmap(2).
    pub(crate) fn new() -> Result<(Self, OwnedFd), Errno> {
        let (file, memory) = common_memory("rump lane", lane::WORDS)?;
        lane::prepare(memory.words());
        Ok((Self { memory, asked: 0, watched: false }, file))
    }

    /// Takes note of new requests.
    pub(crate) fn look(&mut self) {
        self.asked |= lane::take_asked(self.memory.words());
    }

    /// Whether there are requests that were taken note of.
    pub(crate) const fn has_asked(&self) -> bool {
        self.asked != 0
    }

    /// Whether the server looks here without being told.
    pub(crate) const fn is_watched(&self) -> bool {
        self.watched
    }

    /// The cell of the next request.
    fn next(&mut self) -> Option<usize> {
        let cell = self.asked.trailing_zeros();
        self.asked &= self.asked.wrapping_sub(1);
        (cell < u32::BITS).then_some(cell as usize)
    }

    /// Answers in a cell; false: the socket has to bring the answer.
    pub(crate) fn answer<'a>(
        &self,
        cell: usize,
        payload: impl IntoIterator<Item = &'a [u8]> + Clone,
    ) -> bool {
        lane::answer(self.memory.words(), cell, payload)
    }

    /// The socket will bring the answer, or a request of ours.
    pub(crate) fn sent(&self, cell: usize) {
        lane::sent(self.memory.words(), cell);
    }

    fn watch(&mut self) {
        self.watched = true;
        lane::watch(self.memory.words());
    }

    /// Leaves it; a client that has found it watched has asked before, which is taken note of.
    fn leave(&mut self) {
        self.watched = false;
        lane::unwatch(self.memory.words());
        self.look();
    }
}

impl Server {
    /// Watches a session's lane, if it has one and it is not watched.
    pub(crate) fn watch_lane(&mut self, id: SessionId) {
        let lane = self.sessions.look_at(id).and_then(|session| session.lane.as_mut());
        if let Some(lane) = lane.filter(|lane| !lane.watched)
            && self.watched.len() < WATCHED_MAX
        {
            lane.watch();
            self.watched.push(id);
        }
    }

    /// Takes note of what was asked by the lanes that are watched, looking so often at most.
    pub(crate) fn look_at_lanes(&mut self, times: u32) {
        for _ in 0..times {
            self.visit_lanes(Lane::look);
            if self.watched.is_empty() || self.is_asked() {
                break;
            }
            std::hint::spin_loop();
        }
    }

    /// Leaves all lanes.
    pub(crate) fn leave_lanes(&mut self) {
        self.visit_lanes(Lane::leave);
        self.watched.clear();
    }

    fn visit_lanes(&mut self, visit: impl Fn(&mut Lane)) {
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|id| {
            let lane = self.sessions.look_at(*id).and_then(|session| session.lane.as_mut());
            let asks = lane.map(|lane| {
                visit(lane);
                lane.has_asked()
            });
            if asks == Some(true) {
                self.ready_if_asking(*id);
            }
            // Its session is over, or another program's.
            asks.is_some()
        });
        self.watched = watched;
    }

    /// Serves what was asked by a lane.
    pub(crate) fn serve_lane(&mut self, id: SessionId) {
        while let Some(session) = self.sessions.look_at(id)
            && session.takes_requests()
            && let Some(lane) = session.lane.as_mut()
            && let Some(cell) = lane.next()
        {
            let mut payload = std::mem::take(&mut self.lane_space);
            let Some(Taken { reqno, nr }) = lane::request(lane.memory.words(), cell, &mut payload) else {
                tracing::info!("client {id}: a lane without sense; closed");
                return self.close(id);
            };
            let frame = Frame { header: Header::request(reqno, kind::CALL, nr), payload: &payload[..] };
            self.call(id, &frame, Some(cell));
            self.lane_space = payload;
            self.apply_effects();
        }
    }
}
