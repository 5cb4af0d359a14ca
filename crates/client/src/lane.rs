//! Calls by shared memory ([`wire::lane`]), with a server that is awake.

use crate::call::Reply;
use crate::crowd::Crowd;
use crate::gather::{Gathered, Memory};
use crate::lock_unsafe::Lock;
use crate::passed::Passed;
use crate::pump::QUICK_NS;
use crate::slot::{Answer, Slot};
use crate::state::{Phase, Session};
use crate::sys::{self, AtomicBool, AtomicU32};
use abi::table;
use abi::{Errno, private};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use host::{Fd, Part, SharedWords};
use wire::lane::{self, CELLS, Found, PAYLOAD_MAX, Taken};
use wire::url::Url;
use wire::{Header, call, kind};

/// A process that has made so many calls will make more: to have a lane takes as long as some calls save.
const WORTHWHILE: u32 = 32;
/// How often to look for an answer between yields: some 40 µs, or twice as long with glances.
const LOOKS: u32 = 200;
/// Glances between two yields of a core that nobody else wants: some 0.3 µs, what a yield takes.
const GLANCES: u32 = 16;
/// A yield of fewer ticks has given the core to nobody: some 1 µs.
const ALONE_TICKS: u64 = 3_000;

/// Whether calls go by a lane.
#[derive(Debug)]
pub(crate) enum Door {
    /// So many calls were made without.
    Closed(u32),
    /// The server has none to give.
    Locked,
    Open(Arc<Lane>),
}

/// A lane.
#[derive(Debug)]
pub(crate) struct Lane {
    memory: SharedWords,
    /// A bit for each cell that no thread uses.
    free: AtomicU32,
    crowd: Lock<Crowd>,
    /// The last answer that was slept for came quickly.
    quick: AtomicBool,
    /// Nobody else wanted the core at the last yield.
    alone: AtomicBool,
}

/// A cell of a lane, this thread's as long as this value lives.
pub(crate) struct Cell<'a> {
    lane: &'a Lane,
    number: usize,
}

impl Lane {
    fn new(file: &Fd) -> Option<Self> {
        let memory =
            SharedWords::map(file, lane::WORDS).ok().filter(|memory| lane::is_known(memory.words()))?;
        let free = AtomicU32::new(u32::MAX >> (u32::BITS as usize - CELLS));
        Some(Self {
            memory,
            free,
            crowd: Lock::new(Crowd::new()),
            quick: AtomicBool::new(true),
            alone: AtomicBool::new(false),
        })
    }

    /// A cell that no other thread uses.
    pub(crate) fn take_cell(&self) -> Option<Cell<'_>> {
        let without_lowest = |free: u32| (free != 0).then(|| free & free.wrapping_sub(1));
        let free = self.free.fetch_update(Ordering::Acquire, Ordering::Relaxed, without_lowest).ok()?;
        Some(Cell { lane: self, number: free.trailing_zeros() as usize })
    }
}

impl Cell<'_> {
    fn ask(&self, request: Taken, payload: &[u8]) -> bool {
        lane::ask(self.lane.memory.words(), self.number, request, payload)
    }

    fn look(&self, into: &mut Vec<u8>) -> Option<Found> {
        lane::look(self.lane.memory.words(), self.number, into)
    }

    fn give_up(&self) -> bool {
        lane::give_up(self.lane.memory.words(), self.number)
    }

    fn was_taken(&self) -> bool {
        lane::was_taken(self.lane.memory.words(), self.number)
    }
}

impl Drop for Cell<'_> {
    fn drop(&mut self) {
        // The server may yet write to one that it has not done with: nobody uses that again.
        if lane::is_done(self.lane.memory.words(), self.number) {
            self.lane.free.fetch_or(1 << self.number, Ordering::Release);
        }
    }
}

impl Session {
    /// The lane, if there is one that the server watches. Makes one when it is worth it.
    pub(crate) fn lane(&self) -> Option<Arc<Lane>> {
        let is_due = match &mut self.state.lock().lane {
            Door::Open(lane) => {
                return Some(lane.clone()).filter(|lane| lane::is_watched(lane.memory.words()));
            }
            Door::Locked => return None,
            Door::Closed(calls) => {
                *calls += 1;
                *calls == WORTHWHILE
            }
        };
        if is_due {
            self.open_lane();
        }
        None
    }

    fn open_lane(&self) {
        let generation = self.generation();
        let local = matches!(self.options.url, Url::Unix(_)) && self.options.host_descriptors;
        let lane = if local { self.ask_for_lane() } else { None };
        let mut state = self.state.lock();
        // Not that of another connection.
        if self.generation() == generation {
            state.lane = lane.map_or(Door::Locked, |lane| Door::Open(Arc::new(lane)));
        }
    }

    fn ask_for_lane(&self) -> Option<Lane> {
        let row = table::lookup(private::LANE)?;
        let reply = self.call_extended((row, 0), [0; 6], Gathered::default(), &[]).ok()?;
        reply.result.ok()?;
        Lane::new(reply.files.first()?.host.as_ref()?)
    }

    /// Makes a call by a cell of the lane.
    ///
    /// # Errors
    /// `EPIPE`: the server was gone before it had seen the call.
    pub(crate) fn transact_by_lane(
        &self,
        lane: &Arc<Lane>,
        cell: &Cell<'_>,
        nr: u32,
        mut payload: Vec<u8>,
        memory: Memory,
    ) -> Result<Answer, Errno> {
        let slot = Arc::new(Slot::new(memory));
        let (socket, reqno) = {
            let mut state = self.state.lock();
            let Phase::Up { socket, .. } = state.phase else { return Err(Errno::EPIPE) };
            if !matches!(&state.lane, Door::Open(now) if Arc::ptr_eq(now, lane)) {
                // Lost meanwhile, and this is another connection.
                return Err(Errno::EPIPE);
            }
            let reqno = state.next_reqno();
            state.waiting.push((reqno, slot.clone()));
            (socket, reqno)
        };
        let bell = slot.bell();
        if !cell.ask(Taken { reqno, nr }, &payload) {
            self.knock(socket)?;
        }
        match self.look_in(cell, &slot, &mut payload) {
            Some(Found::Answer) => {
                self.forget(reqno, &slot, bell);
                let reply = Reply::take(&payload, &mut Passed::default(), &slot.memory);
                reply.map(Answer::Reply).ok_or_else(|| self.broken())
            }
            Some(Found::BySocket | Found::Nothing) => {
                let start = sys::monotonic_ns();
                let answer = self.wait(reqno, kind::CALL, &slot);
                let took = sys::monotonic_ns().saturating_sub(start);
                lane.quick.store(took < QUICK_NS, Ordering::Relaxed);
                match answer {
                    Answer::Lost if !cell.was_taken() => Err(Errno::EPIPE),
                    answer => Ok(answer),
                }
            }
            None => Err(self.broken()),
        }
    }

    /// Tells the server that there is a request in the lane.
    fn knock(&self, socket: u32) -> Result<(), Errno> {
        let _sending = self.sender.lock();
        let header = Header::request(self.state.lock().next_reqno(), kind::KNOCK, 0);
        self.send_frame(socket, header, &[]).map_err(|_| {
            self.lose(&mut self.state.lock());
            Errno::EPIPE
        })
    }

    /// Looks for the answer for a while; `Nothing`: the socket will bring it.
    fn look_in(&self, cell: &Cell<'_>, slot: &Slot, into: &mut Vec<u8>) -> Option<Found> {
        let lane = cell.lane;
        // Another thread that looks learns the same of the core.
        let mut crowd = lane.crowd.try_lock();
        let allowed = crowd.as_mut().is_none_or(|crowd| crowd.allows_a_look());
        let mut looks = if allowed && lane.quick.load(Ordering::Relaxed) { LOOKS } else { 0 };
        let mut glances = if looks > 0 && lane.alone.load(Ordering::Relaxed) { GLANCES } else { 0 };
        loop {
            match cell.look(into)? {
                Found::Nothing if glances > 0 => {
                    glances -= 1;
                    sys::spin_loop();
                }
                Found::Nothing if looks > 0 && !slot.is_answered() && !self.is_suspended() => {
                    let ticks = sys::sched_yield();
                    let alone = ticks < ALONE_TICKS;
                    lane.alone.store(alone, Ordering::Relaxed);
                    glances = if alone { GLANCES } else { 0 };
                    let goes_on = crowd.as_mut().is_none_or(|crowd| crowd.yielded(ticks));
                    looks = if goes_on { looks - 1 } else { 0 };
                }
                Found::Nothing if cell.give_up() => return Some(Found::Nothing),
                // It came just now.
                Found::Nothing => {}
                found => {
                    if let Some(crowd) = &mut crowd {
                        crowd.found();
                    }
                    return Some(found);
                }
            }
        }
    }

    /// The request was answered in the lane.
    fn forget(&self, reqno: u64, slot: &Slot, bell: u32) {
        {
            let waiting = &mut self.state.lock().waiting;
            if let Some(at) = waiting.iter().position(|(other, _)| *other == reqno) {
                waiting.swap_remove(at);
            }
        }
        if slot.bell() != bell {
            // This thread was to read for the others.
            self.hand_over();
        }
    }
}

/// A call's payload; none if it is too long, or cannot be read any more.
pub(crate) fn payload(args: [u64; 6], gathered: &Gathered) -> Option<Vec<u8>> {
    let mut payload = call::emit_request(args, 0, &gathered.segments);
    let parts = gathered.bytes.parts(&[]);
    if payload.len() + parts.iter().map(Part::len).sum::<usize>() > PAYLOAD_MAX {
        return None;
    }
    for part in parts {
        match part {
            Part::Ours(bytes) => payload.extend_from_slice(bytes),
            Part::Program { address, len } => {
                let start = payload.len();
                payload.resize(start + len, 0);
                host::copy_in(address, &mut payload[start..]).ok()?;
            }
        }
    }
    Some(payload)
}
